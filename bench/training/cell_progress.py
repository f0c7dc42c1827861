"""Progress of the cells in training, as bars on a terminal or lines in a log."""

import math
import sys
import time
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Any

from bench.errors import visible
from bench.training.job import Job
from bench.training.launchers import Outcome, Running
from bench.utils.terminal import bar_console, duration, per_second

_SHOWN = 8  # running cells that have a bar of their own
_SURE = 10  # steps from which a cell's own pace says how long it takes
_EVERY = 60.0  # seconds between two lines where no bar can move


def steps_of(job: Job) -> int:
    """Return the steps that a cell trains: 0 where nothing is trained, or not by steps."""
    return 0 if job.checkpoint or job.method.learning != "steps" else job.train.steps


class TimeLeft:
    """How long the cells take that have not ended, by method: as others of it took."""

    def __init__(self, jobs: Iterable[Job], side_by_side: int) -> None:
        self._open = Counter(job.method.name for job in jobs)
        self._side = side_by_side
        self._ended: dict[str, list[float]] = {}

    def end(self, outcome: Outcome) -> None:
        """Learn from a cell that has ended; what failed early says nothing of the others."""
        name = outcome.job.method.name
        self._open[name] -= 1
        if outcome.status == "ok":
            self._ended.setdefault(name, []).append(outcome.seconds)

    def left(self, running: Sequence[Running]) -> float | None:
        """Return the seconds until the last cell ends; None as long as nothing tells."""
        seconds = {
            one.job.method.name: [one.seconds * steps_of(one.job) / one.steps]
            for one in running
            if one.steps >= _SURE and steps_of(one.job)
        }
        means = {name: fmean(found) for name, found in (seconds | self._ended).items()}
        if not means:
            return None
        other = fmean(means.values())
        whole = sum(count * means.get(name, other) for name, count in self._open.items())
        spent = sum(min(r.seconds, means.get(r.job.method.name, other)) for r in running)
        return (whole - spent) / max(1, min(self._side, self._open.total()))


class Watch:
    """Bars on a terminal, else one line per minute; one line for each cell that ends."""

    def __init__(self, jobs: Sequence[Job], side_by_side: int, every: float = _EVERY) -> None:
        self._cells, self._done, self._steps = len(jobs), 0, 0
        self._pace = TimeLeft(jobs, side_by_side)
        self._seen: deque[tuple[float, float]] = deque(maxlen=20)  # time, steps: ten seconds
        self._running: Sequence[Running] = ()
        self._every, self._said = every, time.monotonic()
        self._bars: Any = None
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> "Watch":
        if screen := bar_console():
            self._bars = _progress(screen)
            self._bars.__enter__()
            self._all = self._bars.add_task("training", total=self._cells, said="")
        return self

    def __exit__(self, *error: Any) -> None:
        if self._bars:
            self._bars.__exit__(*error)

    def tick(self, running: Sequence[Running]) -> None:
        """Show the cells that run."""
        self._running = running
        steps = self._steps + sum(one.steps for one in running)
        self._seen.append((time.monotonic(), steps))
        if self._bars:
            self._draw(running)
        elif time.monotonic() - self._said >= self._every:
            self._said = time.monotonic()
            cells = (f"{one.job.cell}: {_said(one)}" for one in running[:_SHOWN])
            print("; ".join([self._summary(), *cells]), file=sys.stderr, flush=True)

    def finish(self, outcome: Outcome) -> None:
        """Print how a cell ended, its last loss, and what is left."""
        self._done += 1
        self._pace.end(outcome)
        self._running = [one for one in self._running if one.job.cell != outcome.job.cell]
        end = outcome.reason
        if outcome.status == "ok":
            self._steps += steps_of(outcome.job)
            end = f"{outcome.seconds:.1f} s{_loss(outcome.loss)}"
        left = "" if self._bars else self._left()
        line = f"[{self._done}/{self._cells}] {outcome.job.cell}: {outcome.status}, {end}{left}"
        print(visible(line), flush=True)  # above a bar it does not pass through bench.terminal

    def _draw(self, running: Sequence[Running]) -> None:
        shares = (min(1.0, one.steps / steps_of(one.job)) for one in running if steps_of(one.job))
        self._bars.update(self._all, completed=self._done + sum(shares), said=self._summary())
        names = [one.job.cell for one in running[:_SHOWN]]
        for name in [name for name in self._tasks if name not in names]:
            self._bars.remove_task(self._tasks.pop(name))
        for one in running[:_SHOWN]:
            name, total = one.job.cell, steps_of(one.job) or None
            if name not in self._tasks:
                self._tasks[name] = self._bars.add_task(_short(one.job), total=total, said="")
            self._bars.update(self._tasks[name], completed=one.steps, said=_said(one))

    def _summary(self) -> str:
        (start, before), (now, steps) = self._seen[0], self._seen[-1]
        rate = (steps - before) / (now - start) if now > start else 0.0
        speed = f", {per_second(rate).replace('/', ' steps/')}" if rate > 0 else ""
        return f"{self._done}/{self._cells} cells{speed}{self._left()}"

    def _left(self) -> str:
        left = self._pace.left(self._running)
        return "" if left is None or self._done == self._cells else f", about {duration(left)} left"


def _short(job: Job, width: int = 24) -> str:
    """Return a cell's name so short that what tells it from its neighbours is not cut off."""
    facts = job.facts
    end = " ".join(["", *facts["split"].split(".")[2:], f"seed {facts['seed']}"])
    row = facts["row"]
    row = row if len(row) + len(end) <= width else f"{row[: max(1, width - len(end) - 1)]}…"
    return visible(f"  {row}{end}")


def _said(one: Running) -> str:
    """Return ``320/600, loss 1.23`` of a running cell."""
    total = steps_of(one.job)
    if not total:
        return "runs"
    what = f"{one.steps:.0f}/{total}" if one.steps < total else "embeds its videos"
    return f"{what}{_loss(one.loss)}"


def _loss(loss: float) -> str:
    return "" if math.isnan(loss) else f", loss {loss:.3g}"


def _progress(screen: Any) -> Any:
    from rich.progress import BarColumn, Progress, TextColumn
    from rich.table import Column

    name = Column(no_wrap=True, overflow="ellipsis")
    columns = (
        TextColumn("{task.description}", markup=False, table_column=name),
        BarColumn(bar_width=12),
        TextColumn("{task.fields[said]}", markup=False, table_column=Column(no_wrap=True)),
    )
    # Rich would send to the bar's terminal what is printed to a file, too.
    both = sys.stdout.isatty()
    return Progress(*columns, console=screen, transient=True, redirect_stdout=both)
