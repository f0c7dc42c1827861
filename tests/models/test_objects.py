"""What methods without training share, against float64 references in plain loops."""

from itertools import pairwise, product
from math import log2

import numpy as np
import pytest
import torch

from bench.models.objects import divergence, keep_top, spatial_histogram
from bench.models.tubes import best_tube, overlap

RNG = np.random.default_rng(0)
Box = list[float] | np.ndarray


def tensor(array: object) -> torch.Tensor:
    return torch.as_tensor(np.asarray(array, np.float64))


def boxes(*shape: int) -> np.ndarray:
    low = RNG.random((*shape, 2)) * 0.6
    return np.concatenate([low, low + 0.05 + 0.5 * RNG.random((*shape, 2))], -1)


def common(a: Box, b: Box) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(width, 0.0) * max(height, 0.0)


def area(a: Box) -> float:
    return (a[2] - a[0]) * (a[3] - a[1])


def iou(a: Box, b: Box) -> float:
    return common(a, b) / (area(a) + area(b) - common(a, b))


def tiles(person: Box) -> list[list[float]]:
    across, down = [-9.0, person[0], person[2], 9.0], [-9.0, person[1], person[3], 9.0]
    return [[x, y, x2, y2] for y, y2 in pairwise(down) for x, x2 in pairwise(across)]


def jsd(p: Box, q: Box) -> float:
    both = [
        sum(a * log2(2 * a / (a + b)) for a, b in zip(x, y, strict=True) if a)
        for x, y in ((p, q), (q, p))
    ]
    return float(sum(both) / 2)


def test_only_the_largest_of_a_row_are_kept_and_none_outside_the_mask() -> None:
    values = torch.tensor([[0.9, -0.5, 0.3, -0.1], [0.0, 0.2, -0.6, -0.7]])
    among = torch.tensor([False, True, True, True])
    assert keep_top(values, 2, among).tolist() == [
        pytest.approx([0, 0, 0.3, -0.1]),
        pytest.approx([0, 0.2, -0.6, 0]),
    ]
    assert torch.equal(keep_top(values, 99, among), values * among)


def test_the_histogram_is_the_shares_of_the_objects_area_in_nine_tiles() -> None:
    people, things = boxes(20), boxes(20)
    found = spatial_histogram(tensor(people), tensor(things))
    for person, thing, shares in zip(people, things, found, strict=True):
        wanted = [common(thing, tile) / area(thing) for tile in tiles(person)]
        assert shares.tolist() == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("thing", "tile"),
    [([0.1, 0.1, 0.2, 0.2], 0), ([0.45, 0.7, 0.55, 0.9], 7), ([0.4, 0.4, 0.6, 0.6], 4)],
)
def test_an_object_in_one_tile(thing: Box, tile: int) -> None:
    found = spatial_histogram(tensor([0.4, 0.4, 0.6, 0.6]), tensor(thing))
    assert found.tolist() == pytest.approx([float(i == tile) for i in range(9)])


def test_an_object_without_an_area_is_nowhere() -> None:
    assert not spatial_histogram(tensor([0.1, 0.1, 0.5, 0.5]), tensor([0.2, 0.3, 0.2, 0.6])).any()


def test_divergence_is_in_bits() -> None:
    p, q = RNG.dirichlet(np.ones(9), size=2)
    p[3], q[5] = 0, 0
    assert divergence(tensor(p), tensor(q)).item() == pytest.approx(jsd(p, q))
    ends = tensor([[1, 0, 0], [0, 1, 0]])
    assert divergence(ends[0], ends[1]).item() == pytest.approx(1)
    assert divergence(ends[0], ends[0]).item() == 0


def test_overlap() -> None:
    a, b = boxes(4), boxes(3)
    found = overlap(tensor(a), tensor(b))
    for i, j in product(range(4), range(3)):
        assert found[i, j].item() == pytest.approx(iou(a[i], b[j]))
    assert overlap(torch.zeros(2, 4), torch.zeros(2, 4)).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("frames", [1, 5])
def test_the_best_tube_is_that_of_all_tubes(frames: int) -> None:
    count, most, classes, link = 6, 3, 4, 0.7
    scores, corners = RNG.random((count, frames, most, classes)), boxes(count, frames, most)
    people = RNG.random((count, frames, most)) < 0.6
    people[0, 0], people[0, -1] = False, True  # nobody at first
    people[1] = False
    people[2], people[2, 1:3] = True, False  # nobody in between
    people[3], people[3, -1:] = True, False  # nobody at the end
    found = best_tube(tensor(scores), torch.from_numpy(people), tensor(corners), link)
    for b, k in product(range(count), range(classes)):
        there = [i for i in range(frames) if people[b, i].any()]
        if not there:
            assert found[b, k].item() == 0
            continue
        best, wanted = -np.inf, 0.0
        for choice in product(*(np.flatnonzero(people[b, i]) for i in there)):
            tube = list(zip(there, choice, strict=True))
            own = [scores[b, i, m, k] for i, m in tube]
            linked = sum(
                scores[b, i, m, k]
                + scores[b, j, o, k]
                + link * iou(corners[b, i, m], corners[b, j, o])
                for (i, m), (j, o) in pairwise(tube)
            )
            value = linked if len(tube) > 1 else own[0]
            if value > best:
                best, wanted = value, float(np.mean(own))
        assert found[b, k].item() == pytest.approx(wanted)
