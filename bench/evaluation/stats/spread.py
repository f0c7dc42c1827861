"""Mean and deviation of repeated runs; quantiles of Student's t, the normal and χ²."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

ROUNDING = 1e-9
"""Differences below this, in points, are rounding errors."""


@dataclass(frozen=True)
class Spread:
    """Mean of n values with the sample standard deviation (``None`` for n = 1)."""

    mean: float
    std: float | None
    n: int


def spread(values: Sequence[float]) -> Spread:
    """Return mean, sample standard deviation (n − 1) and n of at least one value."""
    std = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Spread(float(np.mean(values)), std, len(values))


def pooled(groups: Sequence[Sequence[float]]) -> Spread | None:
    """Return the deviation within groups, √(mean of their variances), n = size of the largest.

    The mean is the mean of the groups' means. ``None`` if no group has two values.
    """
    several = [group for group in groups if len(group) > 1]
    if not several:
        return None
    variance = float(np.mean([np.var(group, ddof=1) for group in several]))
    mean = float(np.mean([np.mean(group) for group in groups]))
    return Spread(mean, variance**0.5, max(map(len, several)))


# scipy is imported in the functions: tables without intervals are built without it.


def t_tail(t: float, df: float) -> float:
    """Return P(|T| ≥ |t|) of Student's T with ``df`` > 0 degrees of freedom, also fractions."""
    from scipy.special import stdtr

    return 2 * float(stdtr(df, -abs(t)))


def t_quantile(df: float, level: float = 0.95) -> float:
    """Return t with P(|T| ≤ t) = ``level`` of Student's T with ``df`` > 0 degrees of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(df, (1 + level) / 2))


def z_quantile(level: float) -> float:
    """Return z with P(|Z| ≤ z) = ``level`` of a standard normal Z."""
    return NormalDist().inv_cdf((1 + level) / 2)


def chi2_quantile(p: float, df: float) -> float:
    """Return x with P(χ² ≤ x) = ``p`` of χ² with ``df`` > 0 degrees of freedom."""
    from scipy.special import gammaincinv

    return 2 * float(gammaincinv(df / 2, p))
