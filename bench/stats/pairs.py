"""Two models on the same videos: who is right where the other is wrong."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


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
