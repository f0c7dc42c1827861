"""Spread, quantiles and tests against printed tables and closed forms."""

import math

import numpy as np
import pytest

from bench.evaluation.statistics import (
    chi2_quantile,
    effective_df,
    holm,
    mcnemar,
    pooled,
    seeds_needed,
    spread,
    t_quantile,
    t_tail,
    variance_factors,
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


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1, 1]
    assert holm([]) == []


@pytest.mark.parametrize(
    ("gap", "expected"), [(1.0, 17), (0.8, 26), (0.5, 64), (0.2, 394), (1.2, 12), (2.0, 6)]
)
def test_seeds_needed_against_cohens_table(gap: float, expected: int) -> None:
    """Cohen (1988), table 2.4.1: two-sided 0.05, power 0.80 (0.2: 393 there, exact 394)."""
    assert abs(seeds_needed(1, 1, gap) - expected) <= (0 if gap <= 1 else 1)


def test_seeds_needed_of_other_shapes() -> None:
    assert seeds_needed(0, 0) == 2
    assert seeds_needed(4, 0) < seeds_needed(4, 4)
    many = 2 * (1.959964 + 0.841621) ** 2 * 100**2
    assert seeds_needed(1e4, 1e4) == pytest.approx(many, rel=1e-3)


def test_what_a_variance_of_few_seeds_may_be() -> None:
    low, high = variance_factors(4)
    assert (low, high) == pytest.approx((4 / 11.14329, 4 / 0.484419), rel=1e-4)


def test_a_sum_of_variances_is_known_as_well_as_its_larger_part() -> None:
    assert effective_df([(3.0, 2), (3.0, 2)]) == 4
    assert effective_df([(100.0, 2), (1.0, 2)]) == pytest.approx(2.04, abs=0.001)
    assert effective_df([(5.0, 2), (0.0, 9)]) == 2
    assert effective_df([(0.0, 2), (0.0, 3)]) == 5


def test_mcnemar_is_the_exact_binomial() -> None:
    a, b = np.array([True] * 9 + [False] * 11), np.array([False] * 9 + [True] + [False] * 10)
    found = mcnemar(a, b)
    assert (found.only_a, found.only_b) == (9, 1)
    assert found.p == pytest.approx(2 * (1 + 10) / 2**10)
    assert mcnemar(a, a).p == 1


def test_mcnemar_of_many_videos_is_near_its_normal_form() -> None:
    a = np.arange(6000) < 3200
    z = (3200 - 2800 - 1) / math.sqrt(6000)
    assert mcnemar(a, ~a).p == pytest.approx(math.erfc(z / math.sqrt(2)), rel=0.01)
