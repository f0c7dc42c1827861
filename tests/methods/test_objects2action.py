"""Objects2action against a float64 reference in plain loops."""

import numpy as np
import pytest
import torch

from bench.errors import UserError
from bench.method import Batch, Classes, Context
from methods.objects2action import Objects2Action

B, N, K, BANK, W = 5, 3, 4, 9, 6
RNG = np.random.default_rng(0)
WORDS, CLASSES = RNG.normal(size=(BANK, W)), RNG.normal(size=(K, W))
P = RNG.random((B, N, BANK))


def built(
    words: np.ndarray = WORDS, boxed_only: tuple[int, ...] = (), **parameters: int
) -> Objects2Action:
    method = Objects2Action()
    for name, value in parameters.items():
        setattr(method, name, value)
    scored = torch.tensor([float(o not in boxed_only) for o in range(len(words))])
    names = [f"o{i}" for i in range(len(words))]
    objects = Classes(names, torch.from_numpy(words), {"scored": scored})
    seen = Classes(["seen"], torch.zeros(1, W))
    method.build(Context(seen, {"objects": len(words)}, 8, torch.nn.Identity, 0, objects))
    return method


def scores(method: Objects2Action, p: np.ndarray = P) -> np.ndarray:
    video = method.embed_video(Batch({"objects": torch.from_numpy(p)}, torch.zeros(0)))
    classes = method.embed_class(Classes([""] * K, torch.from_numpy(CLASSES)))
    assert video.shape == (len(p), method.object_vectors.shape[0])
    return method.score(video, classes).numpy()


def reference(words: np.ndarray, p: np.ndarray, action_top: int, video_top: int) -> np.ndarray:
    found = np.zeros((len(p), K))
    known = [o for o in range(len(words)) if words[o].any()]
    for k, z in enumerate(CLASSES):
        near = {o: words[o] @ z / np.sqrt((words[o] @ words[o]) * (z @ z)) for o in known}
        of_action = sorted(known, key=lambda o: -near[o])[:action_top]
        for b in range(len(p)):
            mean = {o: sum(p[b, i, o] for i in range(N)) / N for o in known}
            of_video = sorted(known, key=lambda o: -mean[o])[:video_top]
            found[b, k] = sum(mean[o] * near[o] for o in of_action if o in of_video)
    return found


@pytest.mark.parametrize(("action_top", "video_top"), [(100, 100), (3, 100), (100, 2), (4, 5)])
def test_score(action_top: int, video_top: int) -> None:
    found = scores(built(action_top=action_top, video_top=video_top))
    assert found == pytest.approx(reference(WORDS, P, action_top, video_top))


def test_an_object_without_a_word_vector_takes_nobodys_place() -> None:
    words, p = WORDS.copy(), P.copy()
    words[[2, 5]] = 0
    p[..., 2] = 9
    found = scores(built(words, action_top=7, video_top=2), p)
    assert found == pytest.approx(reference(words, p, 7, 2))


def test_an_object_that_boxes_alone_know_takes_nobodys_place() -> None:
    p = P.copy()
    p[..., [2, 5]] = 0
    found = scores(built(boxed_only=(2, 5), action_top=3), p)
    words = WORDS.copy()
    words[[2, 5]] = 0  # as if they had no vector
    assert found == pytest.approx(reference(words, p, 3, 100))


def test_a_video_without_objects_scores_0_everywhere() -> None:
    assert not scores(built(), 0 * P).any()


def test_objects_without_any_word_vector_are_refused() -> None:
    with pytest.raises(UserError, match="no object name has a word vector"):
        built(0 * WORDS)
