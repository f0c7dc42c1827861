"""Tails and quantiles against printed tables and closed forms."""

import math

import pytest

from bench.evaluation.statistics import (
    chi2_quantile,
    pooled,
    spread,
    t_quantile,
    t_tail,
    z_quantile,
)


@pytest.mark.parametrize(
    ("df", "expected"), [(1, 12.70620), (2.4, 3.68350), (10, 2.22814), (1e6, 1.95997)]
)
def test_t_quantile_against_tables(df: float, expected: float) -> None:
    assert t_quantile(df) == pytest.approx(expected, abs=1e-5)
    assert t_tail(t_quantile(df), df) == pytest.approx(0.05, rel=1e-9)


def test_t_tail_has_two_sides() -> None:
    for t in (1e-9, 0.3, -7.0, 1e4):  # the arc tangent, with one degree of freedom
        assert t_tail(t, 1) == pytest.approx(2 / math.pi * math.atan(1 / abs(t)), rel=1e-9)


def test_other_quantiles_against_tables() -> None:
    assert t_quantile(32, 0.6) == pytest.approx(0.85300, abs=1e-4)
    assert z_quantile(0.95) == pytest.approx(1.959964, abs=1e-6)
    assert chi2_quantile(0.975, 4) == pytest.approx(11.14329, abs=1e-4)
    assert chi2_quantile(0.025, 4) == pytest.approx(0.48442, abs=1e-4)


def test_spread_has_no_deviation_for_one_value() -> None:
    assert spread([3.0]).std is None
    assert spread([1.0, 3.0]).std == pytest.approx(math.sqrt(2))


def test_pooled_is_the_root_of_the_mean_variance() -> None:
    found = pooled([[1.0, 3.0], [10.0, 16.0]])
    assert found is not None
    assert (found.mean, found.n) == (7.5, 2)
    assert found.std == pytest.approx(math.sqrt((2 + 18) / 2))
    assert pooled([[1.0], [2.0]]) is None
