"""Gaps against closed forms; test_coverage.py simulates them."""

import math

import numpy as np
import pytest

from bench.evaluation.statistics import draws_gap, splits_gap, t_quantile, transfer_gap


def test_transfer_gap_closed_form() -> None:
    """Two equal classes, differences 10 and 30; both rows without spread over seeds."""
    a = {"x": (10, 6), "y": (10, 8)}
    b = {"x": (10, 5), "y": (10, 5)}
    gap = transfer_gap([70, 70], [50, 50], [a, a], [b, b])
    # 2/(2 - 1) * (2 * (0.5 * 10)^2) = 100; t with 1 degree of freedom
    assert gap.difference == 20
    assert gap.interval is not None
    assert gap.interval[1] - 20 == pytest.approx(12.7062 * 10, rel=1e-4)
    assert gap.p is not None and gap.p > 0.05


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
    assert gap.p is not None and gap.p < 0.05


def test_draws_gap_closed_form() -> None:
    gap = draws_gap({"0": 3.0, "1": 5.0, "2": 7.0}, {"0": 0.0, "1": 0.0, "2": 0.0}, 8, 4)
    assert gap.interval is not None
    half = t_quantile(2) * math.sqrt(4 * (1 / 3 + 0.5))
    assert gap.interval == pytest.approx((5 - half, 5 + half))


def test_no_interval_from_one_repeat_or_other_classes() -> None:
    one = [{"x": (5, 3), "y": (5, 3)}]
    assert transfer_gap([60.0], [60.0], one, one).p is None
    other = [{"x": (5, 3), "z": (5, 3)}] * 2
    assert transfer_gap([60.0] * 2, [60.0] * 2, one * 2, other).interval is None
    assert draws_gap({"0": 1.0}, {"0": 0.0}).interval is None
    assert draws_gap({"0": 1.0}, {"1": 0.0}).difference == 1.0


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


def test_many_draws_know_no_more_than_their_classes() -> None:
    draws = {str(i): float(i % 5) for i in range(50)}
    few = draws_gap(draws, dict.fromkeys(draws, 0.0), 8, 7)
    variance = float(np.var(list(draws.values()), ddof=1)) * (1 / 50 + 7 / 8)
    assert few.interval is not None
    assert few.interval[1] - few.difference == pytest.approx(t_quantile(14) * variance**0.5)
    assert few.floor is None  # of draws, what comes from training is not known apart


def test_what_seeds_and_classes_do_together_counts_once() -> None:
    """Each seed moves another class: all that seeds do is in the classes' term already."""
    rows = [{c: (100, 50 + 30 * (at == s)) for at, c in enumerate("xyz")} for s in range(3)]
    level = [60.0, 60.0, 60.0]
    same = transfer_gap([59, 60, 61], level, rows, [dict.fromkeys("xyz", (100, 60))] * 3)
    assert same.variances["seeds of a"] == 0
    assert same.variances["classes"] == pytest.approx(0)


def test_what_little_is_left_of_the_seeds_is_known_by_their_number() -> None:
    """The seeds move by a hair more than their classes explain: t with 2 df, not with nearly 0."""
    rows = [{c: (100, 50 + 30 * (at == s)) for at, c in enumerate("xyz")} for s in range(3)]
    level = [dict.fromkeys("xyz", (100, 60))] * 3
    found = transfer_gap([47.752, 60.0, 72.248], [60.0] * 3, rows, level)
    left = found.variances["seeds of a"]
    assert 0 < left < 0.01
    assert found.interval is not None
    assert found.interval[1] == pytest.approx(t_quantile(2) * left**0.5)


def test_the_floor_is_what_more_seeds_leave() -> None:
    """Each seed moves another class, no class differs: with many seeds nothing of it is left."""
    swing = [{c: (100, 50 + 30 * (at == s)) for at, c in enumerate("wxyz")} for s in range(3)]
    level = [dict.fromkeys("wxyz", (100, 60))] * 3
    found = transfer_gap([57.5] * 3, [60.0] * 3, swing, level)
    assert found.variances["classes"] > 0 and found.floor == 0
    same = transfer_gap([57.5] * 3, [60.0] * 3, [swing[0]] * 3, level)
    assert same.floor == pytest.approx(t_quantile(3) * same.variances["classes"] ** 0.5)


def test_a_class_without_videos_counts_for_nothing() -> None:
    a, b = {"x": (10, 9), "y": (10, 2)}, {"x": (10, 5), "y": (10, 3)}
    empty = {"z": (0, 0)}
    one = transfer_gap([55.0] * 2, [40.0] * 2, [a] * 2, [b] * 2)
    assert transfer_gap([55.0] * 2, [40.0] * 2, [a | empty] * 2, [b | empty] * 2) == one
    lost = transfer_gap([55.0] * 2, [40.0] * 2, [a | {"z": (4, 2)}] * 2, [b | empty] * 2)
    assert lost.interval is None


def test_splits_gap_closed_form() -> None:
    """Differences 4 and 8 on two halves of six classes; seeds at 0 and 2 points, none together."""
    a = [{"0": 4.0, "1": 8.0}, {"0": 6.0, "1": 10.0}]
    b = [{"0": 0.0, "1": 0.0}]
    found = splits_gap(a, b, (3, 6), (False, True))
    assert found.difference == 7
    assert found.variances == pytest.approx({"classes": 8 * (1 / 2 + 1), "seeds of a": 2 / 2})
    assert found.floor == pytest.approx(t_quantile(1) * 12**0.5)


def test_no_interval_from_splits_that_hold_every_class() -> None:
    row = [{"0": 4.0, "1": 8.0}] * 2
    assert splits_gap(row, row, (6, 6)).interval is None  # official3: other videos, same classes
    assert splits_gap(row[:1], row, (3, 6)).interval is None
    assert splits_gap(row, [{"0": 1.0}] * 2, (3, 6)).interval is None


def test_the_p_value_and_the_interval_say_the_same() -> None:
    a, b = {"x": (10, 6), "y": (10, 8), "z": (10, 7)}, {"x": (10, 5), "y": (10, 5), "z": (10, 3)}
    for seeds in ([70, 70], [70, 74], [60, 90]):
        gap = transfer_gap(seeds, [43, 43], [a, a], [b, b])
        assert gap.interval is not None and gap.p is not None
        assert (gap.p <= 0.05) == (not gap.interval[0] <= 0 <= gap.interval[1])
