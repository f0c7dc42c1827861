"""Embedding: what breaks is listed and left out, and nothing stands in its place."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.data.video.decode import VideoError
from bench.method import Batch, Classes, Method
from bench.training import embed as module
from bench.training.embed import Embedded, embed

PATHS = [f"v{row}.avi" for row in range(12)]
CLASSES = Classes(["a", "b"], torch.tensor([[1.0, 0.0], [0.0, 1.0]]))


class Breaking:
    """Vectors (row, clip) of two clips; some rows are known to be broken, some break when read."""

    dim, n = 2, 2

    def __init__(self, known: Mapping[int, str], when_read: Sequence[int]) -> None:
        self.failures, self._when_read = known, set(when_read)
        self.changed: Mapping[int, str] = {}

    def train(self, rows: Sequence[int], rng: np.random.Generator) -> Tensor:
        raise AssertionError("embedding reads test clips")

    def test(self, rows: Sequence[int]) -> Tensor:
        for row in rows:
            if row in self._when_read:
                raise VideoError(Path(PATHS[row]), f"broke at {row}")
        return torch.tensor([[[row, 0.0], [row, 1.0]] for row in rows])


class Plain(Method):
    def embed_video(self, batch: Batch) -> Tensor:
        assert not self.training
        assert len(batch.y) == 0
        return batch.video.mean(1)


def run(
    known: Mapping[int, str], when_read: Sequence[int], method: Method | None = None
) -> Embedded:
    rows, labels = [11, 3, 4, 7, 8], [1, 0, 1, 0, 1]
    sources = {"video": Breaking(known, when_read)}
    return embed(method or Plain(), sources, PATHS, rows, labels, CLASSES)


@pytest.mark.parametrize("chunk", [1, 2, 64])
@pytest.mark.parametrize(
    ("known", "when_read", "left"),
    [
        ({}, [], [11, 3, 4, 7, 8]),
        ({4: "no frames", 0: "of another class"}, [], [11, 3, 7, 8]),
        ({}, [4, 8], [11, 3, 7]),
        ({11: "no frames"}, [3, 4], [7, 8]),
        ({11: "no frames", 3: "no frames"}, [4, 7, 8], []),
    ],
)
def test_a_broken_video_alone_is_lost(
    monkeypatch: pytest.MonkeyPatch,
    known: dict[int, str],
    when_read: list[int],
    left: list[int],
    chunk: int,
) -> None:
    monkeypatch.setattr(module, "CHUNK", chunk)
    found = run(known, when_read)
    labels = dict(zip([11, 3, 4, 7, 8], [1, 0, 1, 0, 1], strict=True))
    assert found.arrays["video"].tolist() == [[row, 0.5] for row in left]
    assert found.arrays["label"].tolist() == [labels[row] for row in left]
    assert found.arrays["row"].tolist() == left
    assert found.arrays["class"].tolist() == CLASSES.vectors.tolist()
    reasons = {row: why for row, why in known.items() if row in labels}
    reasons |= {row: f"broke at {row}" for row in when_read}
    assert found.failed == {PATHS[row]: why for row, why in reasons.items()}
    assert (found.expected, list(found.names)) == (5, ["a", "b"])


def test_an_error_that_is_not_the_videos_is_not_swallowed() -> None:
    class Wrong(Plain):
        def embed_video(self, batch: Batch) -> Tensor:
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        run({}, [], Wrong())


def test_embeddings_that_are_not_finite() -> None:
    class Infinite(Plain):
        def embed_video(self, batch: Batch) -> Tensor:
            return batch.video.mean(1) / 0

    with pytest.raises(FloatingPointError, match="video embeddings are not finite"):
        run({}, [], Infinite())


def test_a_process_that_had_no_video_counts_for_nothing() -> None:
    """Its embeddings have the width of classes, as nothing told it another."""
    one = run({}, [], Plain())
    none = Embedded(one.names, {k: a[:0] for k, a in one.arrays.items()}, one.expected)
    none.arrays["video"] = np.zeros((0, 7), np.float32)
    whole = module._whole([one, none], [11, 3, 4, 7, 8])
    assert np.array_equal(whole.arrays["video"], one.arrays["video"])


def test_a_score_of_its_own_is_kept() -> None:
    class Scored(Plain):
        def score(self, video: Tensor, classes: Tensor) -> Tensor:  # type: ignore[override]
            return video.sum(1, keepdim=True) + torch.arange(len(classes))

    found = run({}, [3], Scored())
    assert found.arrays["score"].tolist() == [[r + 0.5, r + 1.5] for r in (11, 4, 7, 8)]
    assert "score" not in run({}, []).arrays


def test_a_method_that_embeds_clips_and_not_videos_is_told() -> None:
    class Each(Plain):
        def embed_video(self, batch: Batch) -> Tensor:
            return batch.video.flatten(0, 1)

    with pytest.raises(ValueError, match=r"gave \[10, 2\] for 5 videos, .*over_clips"):
        run({}, [], Each())
