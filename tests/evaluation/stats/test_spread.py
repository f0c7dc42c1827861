"""Tails and quantiles against printed tables and closed forms."""

import math

import pytest

from bench.evaluation.stats.spread import (
    chi2_below,
    chi2_quantile,
    t_quantile,
    t_tail,
    z_below,
    z_quantile,
)


@pytest.mark.parametrize(
    ("df", "expected"),
    [(1, 12.70620), (2, 4.30265), (2.4, 3.68350), (10, 2.22814), (100, 1.98397), (1e6, 1.95997)],
)
def test_t_quantile_against_tables(df: float, expected: float) -> None:
    assert t_quantile(df) == pytest.approx(expected, abs=1e-5)
    assert t_tail(t_quantile(df), df) == pytest.approx(0.05, rel=1e-9)


def test_t_tail_is_the_arc_tangent_with_one_degree_of_freedom() -> None:
    for t in (1e-9, 0.3, 1.0, 7.0, 1e4):
        assert t_tail(t, 1) == pytest.approx(2 / math.pi * math.atan(1 / t), rel=1e-9)


def test_t_tail_with_two_degrees_of_freedom_far_out() -> None:
    for t in (0.5, 3.0, 1000.0):
        root = math.sqrt(2 + t * t)
        assert t_tail(-t, 2) == pytest.approx(2 / (root * (root + t)), rel=1e-9)


def test_other_levels() -> None:
    assert t_quantile(32, 0.6) == pytest.approx(0.85300, abs=1e-4)
    assert z_quantile(0.95) == pytest.approx(1.959964, abs=1e-6)
    assert z_below(-1.959964) == pytest.approx(0.025, abs=1e-6)


def test_chi2_against_tables() -> None:
    assert chi2_quantile(0.975, 4) == pytest.approx(11.14329, abs=1e-4)
    assert chi2_quantile(0.025, 4) == pytest.approx(0.48442, abs=1e-4)
    assert chi2_quantile(0.025, 1) == pytest.approx(0.000982, abs=1e-6)
    assert chi2_below(3.0, 2) == pytest.approx(1 - math.exp(-1.5))
    assert chi2_below(0.0, 3) == 0
