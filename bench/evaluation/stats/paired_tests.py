"""Two of a kind: two models on the same videos, two trainings of the same cells."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.evaluation.stats.distributions import t_quantile, t_tail
from bench.evaluation.stats.spread import ROUNDING


@dataclass(frozen=True)
class McNemar:
    """Videos that only one of two models gets right, and the exact two-sided p value."""

    only_a: int
    only_b: int
    p: float


def mcnemar(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> McNemar:
    """Compare the rightness [N] of two models on the same videos (McNemar 1947, exact binomial).

    Of the videos that one alone gets right, each falls to either side with chance ½ if both models
    are equally good; videos count as independent.
    """
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    n, term, total = only_a + only_b, 1, 0
    for i in range(min(only_a, only_b) + 1):
        total += term
        term = term * (n - i) // (i + 1)
    return McNemar(only_a, only_b, min(1.0, 2 * total / 2**n))


def paired_t(gaps: Sequence[float]) -> tuple[tuple[float, float] | None, float | None]:
    """Return the 95 % interval of the mean of paired differences, and the p value of none.

    Where all differ by as much, t has no spread to go by: no interval, and p of a sign test.
    Neither where n is 1 or nothing differs.
    """
    n, mean = len(gaps), float(np.mean(gaps))
    if n < 2 or max(map(abs, gaps)) <= ROUNDING:
        return None, None
    error = float(np.std(gaps, ddof=1)) / math.sqrt(n)
    if error <= ROUNDING:
        return None, 2 * 0.5**n
    half = t_quantile(n - 1) * error
    return (mean - half, mean + half), t_tail(mean / error, n - 1)
