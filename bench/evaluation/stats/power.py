"""How many seeds it takes to see a gap."""

import math
from collections.abc import Sequence

from bench.evaluation.stats.distributions import chi2_quantile, t_quantile, z_quantile


def seeds_needed(
    variance_a: float, variance_b: float, gap: float = 1.0, power: float = 0.8, level: float = 0.95
) -> int:
    """Return the seeds that each of two rows needs so that a true ``gap`` is seen with ``power``.

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

    Without any variance, those of all parts together.
    """
    total = sum(variance for variance, _ in parts)
    if total <= 0:
        return float(sum(df for _, df in parts))
    return total**2 / sum(variance**2 / df for variance, df in parts)


def variance_factors(df: float, level: float = 0.95) -> tuple[float, float]:
    """Return by what a measured variance may be multiplied at either end of its χ² interval."""
    tail = (1 - level) / 2
    return df / chi2_quantile(1 - tail, df), df / chi2_quantile(tail, df)
