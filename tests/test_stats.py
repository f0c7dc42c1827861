"""Spread and gaps against closed forms and by simulation."""

import math

import numpy as np
import pytest

from bench.stats import draws_gap, spread, t_quantile, transfer_gap


def test_spread_has_no_deviation_for_one_value() -> None:
    assert spread([3.0]).std is None
    assert spread([1.0, 3.0]).std == pytest.approx(math.sqrt(2))


@pytest.mark.parametrize(
    ("df", "expected"), [(1, 12.70620), (2, 4.30265), (2.4, 3.68350), (10, 2.22814), (100, 1.98397)]
)
def test_t_quantile_against_tables(df: float, expected: float) -> None:
    assert t_quantile(df) == pytest.approx(expected, abs=1e-4)


def test_transfer_gap_closed_form() -> None:
    """Two equal classes, differences 10 and 30; both rows without spread over seeds."""
    a = {"x": (10, 6), "y": (10, 8)}
    b = {"x": (10, 5), "y": (10, 5)}
    gap = transfer_gap([70, 70], [50, 50], [a, a], [b, b])
    # 2/(2 - 1) * (2 * (0.5 * 10)^2) = 100; t with 1 degree of freedom
    assert gap.difference == 20
    assert gap.interval is not None
    assert gap.interval[1] - 20 == pytest.approx(12.7062 * 10, rel=1e-4)
    assert gap.larger_than_noise is False


def test_transfer_gap_is_welch_when_classes_agree() -> None:
    """All classes differ alike: what is left is Welch's interval over the seeds."""
    a, b = [80.0, 82.0, 84.0], [70.0, 70.5, 71.0]
    flat_a = [{c: (1000, round(10 * v)) for c in "xyz"} for v in a]
    flat_b = [{c: (1000, round(10 * v)) for c in "xyz"} for v in b]
    gap = transfer_gap(a, b, flat_a, flat_b)
    terms = np.var(a, ddof=1) / 3, np.var(b, ddof=1) / 3
    df = sum(terms) ** 2 / sum(t**2 / 2 for t in terms)
    assert gap.interval is not None
    assert gap.interval[0] == pytest.approx(11.5 - t_quantile(df) * math.sqrt(sum(terms)))
    assert gap.larger_than_noise is True


def test_draws_gap_closed_form() -> None:
    gap = draws_gap({"0": 3.0, "1": 5.0, "2": 7.0}, {"0": 0.0, "1": 0.0, "2": 0.0}, 0.5)
    assert gap.interval is not None
    half = t_quantile(2) * math.sqrt(4 * (1 / 3 + 0.5))
    assert gap.interval == pytest.approx((5 - half, 5 + half))


def test_no_interval_from_one_repeat_or_other_classes() -> None:
    one = [{"x": (5, 3), "y": (5, 3)}]
    assert transfer_gap([60.0], [60.0], one, one).larger_than_noise is None
    other = [{"x": (5, 3), "z": (5, 3)}] * 2
    assert transfer_gap([60.0] * 2, [60.0] * 2, one * 2, other).interval is None
    assert draws_gap({"0": 1.0}, {"0": 0.0}, 1.0).interval is None
    assert draws_gap({"0": 1.0}, {"1": 0.0}, 1.0).difference == 1.0


def test_transfer_interval_covers_the_true_difference() -> None:
    """New classes, seeds and videos in every repetition; the true difference is 5 points."""
    rng = np.random.default_rng(0)
    repeats, n_classes, seeds, videos, hits = 400, 20, 4, 30, 0
    for _ in range(repeats):
        level = rng.normal(0.6, 0.1, n_classes)
        shift = rng.normal(0.05, 0.08, n_classes)
        rows: list[list[np.ndarray]] = []
        for chance in (level + shift, level):
            noise = rng.normal(0, 0.03, (seeds, 1))
            rows.append(list(rng.binomial(videos, np.clip(chance + noise, 0.01, 0.99))))
        values = [[100 * float(right.mean()) / videos for right in row] for row in rows]
        counts = [
            [{str(i): (videos, int(k)) for i, k in enumerate(r)} for r in row] for row in rows
        ]
        interval = transfer_gap(values[0], values[1], counts[0], counts[1]).interval
        assert interval is not None
        hits += interval[0] <= 5 <= interval[1]
    assert 0.92 <= hits / repeats <= 0.98


def test_draws_interval_covers_the_true_difference() -> None:
    """Ten draws of half of 20 classes share classes; a plain t interval would cover too rarely."""
    rng = np.random.default_rng(0)
    repeats, hits, plain = 400, 0, 0
    for _ in range(repeats):
        by_class = rng.normal(5, 10, 20)
        draws = {str(d): float(by_class[rng.permutation(20)[:10]].mean()) for d in range(10)}
        zero = dict.fromkeys(draws, 0.0)
        for ratio in (1.0, 0.0):
            interval = draws_gap(draws, zero, ratio).interval
            assert interval is not None
            covered = interval[0] <= 5 <= interval[1]
            hits, plain = hits + (covered and ratio > 0), plain + (covered and ratio == 0)
    assert 0.92 <= hits / repeats <= 0.98
    assert plain / repeats < 0.8


def test_a_row_without_chance_needs_one_run_and_adds_no_variance() -> None:
    a, b = {"x": (10, 9), "y": (10, 2)}, {"x": (10, 5), "y": (10, 3)}
    both = transfer_gap([55.0], [40.0], [a], [b], (True, True))
    w = [0.5, 0.5]
    apart = [40.0, -10.0]
    spread = 2 * sum((share * (one - 15)) ** 2 for share, one in zip(w, apart, strict=True))
    assert both.interval is not None
    half = t_quantile(1) * spread**0.5
    assert both.interval == pytest.approx((15 - half, 15 + half))
    assert transfer_gap([55.0], [40.0], [a], [b], (True, False)).interval is None
    seeds = transfer_gap([55.0], [39.0, 41.0], [a], [b, b], (True, False))
    assert seeds.interval is not None and seeds.interval[0] < seeds.interval[1]
