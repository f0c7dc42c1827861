"""Two ways to do the same work, timed turn by turn in one run, so that only their ratio counts.

A benchmark is a module here with ``rows(quick) -> Iterator[Ratio]``; ``python benchmarks/NAME.py``
prints its rows, ``make perf`` those of all.
"""

import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Ratio:
    """``work`` by a plain way and by a fast one: the medians' ratio and that of each round."""

    work: str
    plain_s: float  # median seconds of the plain way
    fast_s: float
    low: float  # the smallest and the largest ratio of a round
    high: float
    rounds: int

    @property
    def times(self) -> float:
        """How many times as fast the fast way is."""
        return self.plain_s / self.fast_s

    def __str__(self) -> str:
        """Return the row as one line."""
        return (
            f"{self.work}: {self.times:.2f} times as fast ({self.low:.2f} to {self.high:.2f}, "
            f"{self.rounds} rounds; plain {self.plain_s:.4g} s, fast {self.fast_s:.4g} s)"
        )


def compare(
    work: str,
    plain: Callable[[], object],
    fast: Callable[[], object],
    rounds: int = 7,
    clock: Callable[[], float] = time.perf_counter,
) -> Ratio:
    """Run each once unmeasured, then turn by turn; ``clock`` may be ``time.process_time``."""
    plain(), fast()
    pairs = [(_seconds(plain, clock), _seconds(fast, clock)) for _ in range(rounds)]
    ratios = [a / b for a, b in pairs]
    return Ratio(
        work,
        statistics.median(a for a, _ in pairs),
        statistics.median(b for _, b in pairs),
        min(ratios),
        max(ratios),
        rounds,
    )


def show(rows: Iterable[Ratio]) -> None:
    """Print rows as they come."""
    for row in rows:
        print(row, flush=True)


def _seconds(run: Callable[[], object], clock: Callable[[], float]) -> float:
    start = clock()
    run()
    return clock() - start
