"""Object-based scores, tiles around a person, and the divergence of two histograms."""

import math

import pytest
import torch

from bench.models.objects import divergence, keep_top, spatial_histogram

PERSON = torch.tensor([0.4, 0.4, 0.6, 0.6])


@pytest.mark.parametrize(
    ("thing", "tile"),
    [([0.45, 0.45, 0.5, 0.5], 4), ([0.0, 0.0, 0.1, 0.1], 0), ([0.7, 0.45, 0.9, 0.55], 5)],
)
def test_a_box_within_one_tile(thing: list[float], tile: int) -> None:
    found = spatial_histogram(PERSON, torch.tensor(thing))
    assert found.argmax() == tile and found[tile] == pytest.approx(1)


def test_a_box_across_tiles_is_shared_by_area() -> None:
    found = spatial_histogram(PERSON, torch.tensor([0.3, 0.4, 0.5, 0.8]))
    wanted = [0, 0, 0, 0.25, 0.25, 0, 0.25, 0.25, 0]
    assert found.tolist() == pytest.approx(wanted, abs=1e-6)


def test_a_box_without_area_lies_nowhere() -> None:
    assert not spatial_histogram(PERSON, torch.tensor([0.5, 0.5, 0.5, 0.7])).any()


def test_divergence_is_jensen_shannons_in_bits() -> None:
    p, q = torch.tensor([0.5, 0.5, 0.0]), torch.tensor([0.25, 0.25, 0.5])
    m = (p + q) / 2

    def kl(a: torch.Tensor) -> float:
        pairs = zip(a.tolist(), m.tolist(), strict=True)
        return sum(x * math.log2(x / y) for x, y in pairs if x)

    assert float(divergence(p, q)) == pytest.approx((kl(p) + kl(q)) / 2, abs=1e-6)
    assert float(divergence(p, p)) == pytest.approx(0, abs=1e-6)
    assert float(divergence(torch.eye(3)[0], torch.eye(3)[1])) == pytest.approx(1)


def test_the_top_of_fewer_than_asked_is_all() -> None:
    values = torch.tensor([[0.1, 0.3, 0.2]])
    assert torch.equal(keep_top(values, 100), values)
    assert torch.equal(keep_top(values, 1), torch.tensor([[0, 0.3, 0]]))
