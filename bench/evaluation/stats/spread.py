"""Mean and deviation of repeated runs."""

from collections.abc import Sequence
from dataclasses import dataclass

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
