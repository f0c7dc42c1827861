"""Progress of a long step: a bar when a person watches, plain lines otherwise."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from bench.terminal import bar_stream

T = TypeVar("T")


def track(items: Iterable[T], total: int, what: str, every: float = 10.0) -> Iterator[T]:
    """Yield ``items`` and report progress on stderr.

    On a terminal: a rich bar with rate and time left. Elsewhere: one line each ``every`` seconds
    and one at the end, if the step took longer than that.
    """
    if sys.stderr.isatty():
        yield from _bar(items, total, what)
        return
    start = last = time.monotonic()
    done = 0
    for done, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if now - last >= every:
            rate = done / (now - start)
            print(f"{what}: {done}/{total}, {rate:.1f}/s", file=sys.stderr, flush=True)
            last = now
    if done and time.monotonic() - start >= every:
        print(f"{what}: {done}/{total} done", file=sys.stderr, flush=True)


def _bar(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    from rich.console import Console
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
    with Progress(*columns, console=Console(file=bar_stream()), transient=True) as bar:
        task = bar.add_task(what, total=total, rate="")
        start = time.monotonic()
        for done, item in enumerate(items, 1):
            yield item
            rate = done / max(time.monotonic() - start, 1e-9)
            bar.update(task, advance=1, rate=f"{rate:.1f}/s")
