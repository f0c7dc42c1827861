"""Paired tests, Holm's correction, and the number of seeds that a test needs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.evaluation.stats.spread import ROUNDING, chi2_quantile, t_quantile, t_tail, z_quantile


@dataclass(frozen=True)
class McNemar:
    """Videos that only one of two models gets right, and the exact two-sided p value."""

    only_a: int
    only_b: int
    p: float


def mcnemar(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> McNemar:
    """Compare two models on the same videos, right or wrong [N] (McNemar 1947, exact binomial).

    If both models are equally good, each video that only one gets right is either one's with chance
    ½; videos are taken as independent.
    """
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    n, term, total = only_a + only_b, 1, 0
    for i in range(min(only_a, only_b) + 1):
        total += term
        term = term * (n - i) // (i + 1)
    return McNemar(only_a, only_b, min(1.0, 2 * total / 2**n))


def paired_t(gaps: Sequence[float]) -> tuple[tuple[float, float] | None, float | None]:
    """Return the 95 % interval of the mean paired difference, and the p value of no difference.

    If all differences are equal, there is no interval and p is that of a sign test. Both are None
    for n = 1 or if nothing differs.
    """
    n, mean = len(gaps), float(np.mean(gaps))
    if n < 2 or max(map(abs, gaps)) <= ROUNDING:
        return None, None
    error = float(np.std(gaps, ddof=1)) / math.sqrt(n)
    if error <= ROUNDING:
        return None, 2 * 0.5**n
    half = t_quantile(n - 1) * error
    return (mean - half, mean + half), t_tail(mean / error, n - 1)


def holm(p: Sequence[float]) -> list[float]:
    """Return the adjusted p values of one family (Holm 1979), in the order given.

    Calling all at or below α different is wrong about any of them with a chance of at most α.
    """
    order = sorted(range(len(p)), key=lambda i: p[i])
    adjusted, highest = [0.0] * len(p), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p) - rank) * p[i]))
        adjusted[i] = highest
    return adjusted


def seeds_needed(
    variance_a: float, variance_b: float, gap: float = 1.0, power: float = 0.8, level: float = 0.95
) -> int:
    """Return the seeds that each of two rows needs to detect a true ``gap`` with ``power``.

    Two-sample t test at ``level``, variances between seeds as given: the smallest n ≥ 2 with
    n ≥ (s_a² + s_b²)(t_level + t_power)²/gap², t at the Welch degrees of freedom of that n.
    """
    total = variance_a + variance_b

    def wanted(high: float, low: float) -> float:
        return total * (high + low) ** 2 / gap**2

    both = 2 * power - 1  # the two-sided level whose upper quantile has this power below it
    n = max(2, math.ceil(wanted(z_quantile(level), z_quantile(both))))
    if total > 0:
        share = total**2 / (variance_a**2 + variance_b**2)
        while n < wanted(*(t_quantile((n - 1) * share, one) for one in (level, both))):
            n += 1
    return n


def effective_df(parts: Sequence[tuple[float, int]]) -> float:
    """Return the degrees of freedom of a sum of variances (variance, df) after Satterthwaite.

    Without any variance, return the sum over all parts.
    """
    total = sum(variance for variance, _ in parts)
    if total <= 0:
        return float(sum(df for _, df in parts))
    return total**2 / sum(variance**2 / df for variance, df in parts)


def variance_factors(df: float, level: float = 0.95) -> tuple[float, float]:
    """Return the factors from a measured variance to the ends of its χ² interval."""
    tail = (1 - level) / 2
    return df / chi2_quantile(1 - tail, df), df / chi2_quantile(tail, df)
