"""Many comparisons at once."""

from collections.abc import Sequence


def holm(p: Sequence[float]) -> list[float]:
    """Return the adjusted p values of one family (Holm 1979), in the order given.

    Those at or below α may all be called differences with a chance of at most α that any is none.
    """
    order = sorted(range(len(p)), key=lambda i: p[i])
    adjusted, highest = [0.0] * len(p), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p) - rank) * p[i]))
        adjusted[i] = highest
    return adjusted
