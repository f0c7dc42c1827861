"""The inputs of a cell: what it opens, which videos it trains on, its batches."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.config.paths import Layout
from bench.config.schema import Input
from bench.data.index import Index
from bench.data.input_store import write_videos
from bench.errors import UserError
from bench.method import Method
from bench.training import cell_inputs as opening
from bench.training.cell_inputs import Batches, stream, without_failures


class Features(Method):
    needs: ClassVar[tuple[str, ...]] = ("features",)
    wants: ClassVar[tuple[str, ...]] = ("objects",)


class Clips(Method):
    """Clips, or with ``freeze_backbone`` the features of them."""


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give a function that opens a method's sources, in a place where videos cannot be read."""

    def unreadable(*rest: Any) -> Any:
        raise AssertionError("a video was opened")

    monkeypatch.setattr(opening.ClipReader, "open", unreadable)
    layout = Layout(tmp_path, "p")
    for name in ("features", "objects"):
        write_videos(layout.inputs / name, "d", "key", iter([np.zeros((2, 3, 4))]), 2, {1: "lost"})
    rows = np.arange(2)
    index = Index(
        "d", "videos", tmp_path, ["c"], ["a", "b"], rows * 0, rows + 1, "", rows, {}, "", ["", ""]
    )

    def run(method: Method, **inputs: str) -> Any:
        job: Any = SimpleNamespace(layout=layout, inputs=inputs, input=Input())
        return opening.open_sources(job, method, index)

    return run


def test_features_are_opened_without_the_videos(opened: Any) -> None:
    found = opened(Features(), features="made", objects="made")
    assert set(found) == {"features", "objects"}
    assert (found["features"].n, found["features"].dim) == (3, 4)
    assert found["features"].failures == {1: "lost"}


def test_a_wanted_input_that_is_not_given_is_not_opened(opened: Any) -> None:
    assert set(opened(Features(), features="made")) == {"features"}


def test_a_frozen_backbone_reads_features_as_video(opened: Any) -> None:
    method = Clips()
    method.freeze_backbone = True
    assert opened(method, features="made")["video"].dim == 4
    with pytest.raises(AssertionError, match="a video was opened"):
        opened(Clips())


def test_a_needed_input_that_is_not_made_names_the_stage(opened: Any) -> None:
    with pytest.raises(opening.MissingInput, match="needs features; run 'bench stage inputs'"):
        opened(Features())


ROWS = [3, 5, 6, 10, 11, 20, 21]
LABELS = [0, 0, 1, 1, 2, 2, 2]


class Noisy:
    """A source whose samples are the row and a random number."""

    dim = 2
    failures: dict[int, str] = {}

    def train(self, rows: Sequence[int], rng: np.random.Generator, part: slice) -> Tensor:
        pairs = np.stack([np.asarray(rows, float), rng.random(len(rows))], axis=1)[part]
        return torch.from_numpy(pairs).unsqueeze(1)

    def test(self, rows: Sequence[int]) -> Tensor:
        raise AssertionError("training does not read test clips")


def batches(seed: int = 0, batch: int = 3) -> Batches:
    return Batches({"video": Noisy()}, ROWS, LABELS, batch, seed)


def same(a: tuple[dict[str, Tensor], Tensor], b: tuple[dict[str, Tensor], Tensor]) -> bool:
    return torch.equal(a[0]["video"], b[0]["video"]) and torch.equal(a[1], b[1])


def test_a_step_has_its_batch_whatever_was_asked_before() -> None:
    forward = [batches()[step] for step in range(20)]
    one = batches()
    for step in (19, 0, 7, 7, 12, 3):
        assert same(one[step], forward[step])


@pytest.mark.parametrize("first", [0, 4])
def test_a_stream_may_start_anywhere(first: int) -> None:
    found = list(stream(batches(), first, 9, workers=0))
    assert len(found) == 9 - first
    for step, batch in enumerate(found, first):
        assert same(batch, batches()[step])


def test_workers_give_the_same_batches_and_draw_none_of_trainings_numbers() -> None:
    before = torch.get_rng_state()
    for step, batch in enumerate(stream(batches(), 2, 9, workers=2), 2):
        assert same(batch, batches()[step])
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("batch", [1, 3, 7, 16])
def test_every_epoch_visits_each_row_once_with_its_label(batch: int) -> None:
    one = batches(batch=batch)
    steps = [one[step] for step in range(21)]
    rows = [int(r) for inputs, _ in steps for r in inputs["video"][:, 0, 0]]
    labels = [int(y) for _, ys in steps for y in ys]
    assert {len(ys) for _, ys in steps} == {batch}
    for start in range(0, len(rows) - len(ROWS) + 1, len(ROWS)):
        assert sorted(rows[start : start + len(ROWS)]) == ROWS
    assert all(LABELS[ROWS.index(row)] == y for row, y in zip(rows, labels, strict=True))
    assert rows[: len(ROWS)] != rows[len(ROWS) : 2 * len(ROWS)]


def test_seeds_differ_in_order_and_in_samples() -> None:
    a, b = batches(seed=0, batch=7)[0][0]["video"], batches(seed=1, batch=7)[0][0]["video"]
    assert not torch.equal(a[:, 0, 0], b[:, 0, 0])
    assert not set(a[:, 0, 1].tolist()) & set(b[:, 0, 1].tolist())


INDEX: Any = SimpleNamespace(root=Path("root"), paths=["a.avi", "b.avi", "c.avi"])


def source(failures: dict[int, str], changed: dict[int, str]) -> dict[str, Any]:
    return {"video": SimpleNamespace(failures=failures | changed, changed=changed)}


def test_what_was_broken_when_indexed_is_left_out() -> None:
    known = source({1: "no frames"}, {})
    assert without_failures([0, 1, 2], [5, 6, 7], known, INDEX) == ([0, 2], [5, 7])


def test_what_broke_since_stops_the_training() -> None:
    changed = source({}, {1: "Input/output error"})
    with pytest.raises(UserError, match=r"root/b\.avi: Input/output error; it was whole"):
        without_failures([0, 1, 2], [5, 6, 7], changed, INDEX)
    assert without_failures([0, 2], [5, 7], changed, INDEX) == ([0, 2], [5, 7])  # another class's
