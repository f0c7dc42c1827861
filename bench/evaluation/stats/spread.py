"""Mean and deviation of repeated runs; quantiles of Student's t, the normal and χ²."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

ROUNDING = 1e-9
"""Points of accuracy: what is smaller comes from adding floats."""


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

    The mean is that of the groups' means. ``None`` if no group has two values.
    """
    several = [group for group in groups if len(group) > 1]
    if not several:
        return None
    variance = float(np.mean([np.var(group, ddof=1) for group in several]))
    mean = float(np.mean([np.mean(group) for group in groups]))
    return Spread(mean, variance**0.5, max(map(len, several)))


_NORMAL = NormalDist()
_TINY = 1e-300


def _beta_tail(a: float, b: float, x: float) -> float:
    """Return the regularised incomplete beta I_x(a, b): DLMF 8.17.22, its continued fraction."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast below the mean only
        return 1 - _beta_tail(b, a, 1 - x)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    c, d = 1.0, 1 / max(1 - (a + b) * x / (a + 1), _TINY)
    value = d
    for m in range(1, 10_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / (1 + term * d or _TINY)
            c = 1 + term / c or _TINY
            value *= c * d
        if abs(c * d - 1) < 1e-13:
            break
    return front * value / a


def t_tail(t: float, df: float) -> float:
    """Return P(|T| ≥ |t|) for Student's T with ``df`` > 0 degrees of freedom, also fractions."""
    return _beta_tail(df / 2, 0.5, df / (df + t * t))


def t_quantile(df: float, level: float = 0.95) -> float:
    """Return t with P(|T| ≤ t) = ``level`` for Student's T with ``df`` > 0 degrees of freedom."""
    t = z_quantile(level)  # lies below; from below, Newton's steps on a convex tail stay below
    scale = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - math.log(df * math.pi) / 2
    for _ in range(100):
        density = math.exp(scale - (df + 1) / 2 * math.log1p(t * t / df))
        step = (t_tail(t, df) - (1 - level)) / (2 * density)
        t += step
        if abs(step) <= 1e-12 * max(t, 1):
            break
    return t


def z_quantile(level: float) -> float:
    """Return z with P(|Z| ≤ z) = ``level`` for a standard normal Z."""
    return _NORMAL.inv_cdf((1 + level) / 2)


def z_below(z: float) -> float:
    """Return P(Z ≤ z) for a standard normal Z."""
    return _NORMAL.cdf(z)


def chi2_below(x: float, df: float) -> float:
    """Return P(χ² ≤ x) with ``df`` > 0 degrees of freedom: the series DLMF 8.7.1."""
    a, half = df / 2, x / 2
    term = total = 1 / a
    n = 0
    while term > 1e-15 * total:
        n += 1
        term *= half / (a + n)
        total += term
    return total * math.exp(a * math.log(half) - half - math.lgamma(a)) if x > 0 else 0.0


def chi2_quantile(p: float, df: float) -> float:
    """Return x with P(χ² ≤ x) = ``p``, for 0 < p < 1."""
    return _bisect(lambda x: chi2_below(x, df) < p, 0.0, df + 20 * math.sqrt(2 * df) + 40)


def _bisect(below: Callable[[float], bool], low: float, high: float) -> float:
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) else (low, middle)
    return (low + high) / 2
