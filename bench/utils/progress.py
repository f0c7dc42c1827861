"""Progress of a long step: a bar when a person watches, plain lines otherwise."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from bench.utils.terminal import bar_console

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T")


def track(items: Iterable[T], total: int, what: str, every: float = 10.0) -> Iterator[T]:
    """Yield ``items`` and report progress on stderr.

    On a terminal: a rich bar with rate and time left. Elsewhere: one line each ``every`` seconds
    and one at the end, if the step took longer than that.
    """
    if screen := bar_console():
        yield from _bar(items, total, what, screen)
        return
    start = last = time.monotonic()
    done = 0
    for done, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if now - last >= every:
            rate = done / (now - start)
            left = f"about {duration((total - done) / rate)} left" if total > done else "done"
            print(
                f"{what}: {done}/{total}, {per_second(rate)}, {left}", file=sys.stderr, flush=True
            )
            last = now
    if done and time.monotonic() - start >= every:
        print(f"{what}: {done}/{total} done", file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """Return seconds as people say them: 45 s, 12 min, 45 h, 130 days."""
    for unit, length, most in (("s", 1, 100), ("min", 60, 100), ("h", 3600, 100)):
        if seconds < most * length:
            return f"{seconds / length:.{1 if seconds < 10 * length else 0}f} {unit}"
    return f"{seconds / 86400:.0f} days"


def per_second(rate: float) -> str:
    """Return a rate with the digits that count: 412/s, 3.2/s, 0.04/s."""
    return f"{rate:.{0 if rate >= 10 else 1 if rate >= 1 else 2}f}/s"


def _bar(items: Iterable[T], total: int, what: str, screen: "Console") -> Iterator[T]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    # Rich would send to the bar's terminal what is printed to a file, too.
    both = sys.stdout.isatty()
    with Progress(*columns, console=screen, transient=True, redirect_stdout=both) as bar:
        task = bar.add_task(what, total=total, rate="")
        start = time.monotonic()
        for done, item in enumerate(items, 1):
            yield item
            rate = done / max(time.monotonic() - start, 1e-9)
            bar.update(task, advance=1, rate=per_second(rate))
