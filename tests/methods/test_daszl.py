"""DASZL's alignments against all of them, in float64."""

from itertools import pairwise, product

import numpy as np
import pytest
import torch

from bench.errors import UserError
from bench.method import Batch, Classes, Context
from methods.daszl import DASZL

B, ATTRIBUTES = 3, 5
SIGNATURES = [[2], [0, 3], [1, 1, 4], [4, 0, 2, 0], [3, 2, 1, 0, 4, 4]]
RNG = np.random.default_rng(0)


def built() -> DASZL:
    method = DASZL()
    empty = Classes([], torch.zeros(0, 1))
    method.build(Context(empty, {"objects": ATTRIBUTES}, 8, torch.nn.Identity, 0, None))
    return method


def classes(signatures: list[list[int]]) -> Classes:
    longest = max(map(len, signatures))
    rows = [one + [-1] * (longest - len(one)) for one in signatures]
    names = [f"class {i}" for i in range(len(rows))]
    return Classes(names, torch.zeros(len(rows), 1), {"signatures": torch.tensor(rows)})


def scores(p: np.ndarray, signatures: list[list[int]] = SIGNATURES) -> np.ndarray:
    method = built()
    video = method.embed_video(Batch({"objects": torch.from_numpy(p)}, torch.zeros(0)))
    of_class = method.embed_class(classes(signatures)).float()
    assert video.ndim == of_class.ndim == 2
    return method.score(video, of_class).numpy()


def best(p: np.ndarray, signature: list[int]) -> float:
    """Return the best mean log-probability of all monotone alignments."""
    n, length = len(p), len(signature)
    steps, states = max(n, length), min(n, length)
    values = []
    for places in product(range(states), repeat=steps):
        moves = [b - a for a, b in pairwise(places)]
        if places[0] != 0 or places[-1] != states - 1 or not set(moves) <= {0, 1}:
            continue
        pairs = [(i, j) if n >= length else (j, i) for i, j in enumerate(places)]
        values.append(sum(np.log(max(p[i, signature[j]], 1e-6)) for i, j in pairs) / steps)
    return float(max(values))


@pytest.mark.parametrize("frames", [1, 2, 3, 5, 6])
def test_the_best_of_all_alignments(frames: int) -> None:
    p = RNG.dirichlet(np.ones(ATTRIBUTES), size=(B, frames))
    p[0, 0, 3] = 0
    found = scores(p)
    for b in range(B):
        assert found[b] == pytest.approx([best(p[b], one) for one in SIGNATURES])


def test_the_order_decides() -> None:
    p = np.full((1, 4, ATTRIBUTES), 0.05)
    p[0, :2, 1] = p[0, 2:, 3] = 0.8
    right, wrong = scores(p, [[1, 3], [3, 1]])[0]
    assert right == pytest.approx(np.log(0.8))
    assert wrong < right


def test_a_gap_in_a_signature_counts_for_nothing() -> None:
    p = RNG.dirichlet(np.ones(ATTRIBUTES), size=(B, 4))
    found = scores(p, [[1, -1, 3], [1, 3, -1], [-1, 1, 3]])
    assert found[:, 0] == pytest.approx(found[:, 1])
    assert found[:, 2] == pytest.approx(found[:, 1])


def test_a_video_without_attributes_has_a_finite_score() -> None:
    assert scores(np.zeros((1, 3, ATTRIBUTES))) == pytest.approx(np.log(1e-6))


def test_an_empty_signature_is_refused() -> None:
    with pytest.raises(UserError, match="class 'class 1' has an empty signature"):
        built().embed_class(classes([[2], [-1], [0, 1]]))


def test_an_attribute_that_is_not_there_is_refused() -> None:
    with pytest.raises(UserError, match="contain object 7"):
        built().embed_class(classes([[2, 7]]))
