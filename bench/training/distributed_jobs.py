"""Cells one after the other, each by all the processes that ``torchrun`` started.

The first process plans, reports and writes; the others follow it from cell to cell. A cell that
fails on one process alone would leave the others waiting for it, so a failure ends them all:
``torchrun`` then starts them again (``--max-restarts``) or gives up, and the next run goes on from
the last saved state.
"""

import time
from collections.abc import Callable, Iterator, Sequence

from bench.training.cell_pool import Outcome, Running
from bench.training.distributed import World
from bench.training.job import Job
from bench.training.run_job import attempt

_EVERY = 0.5  # seconds between two looks
_GRACE = 30.0  # seconds in which the first process writes what failed


def lead(
    jobs: Sequence[Job], world: World, tick: Callable[[list[Running]], None]
) -> Iterator[Outcome]:
    """Train ``jobs`` in turn with the processes that ``follow``; the first failure is the last."""
    for job in jobs:
        world.gather(job)
        began = said = time.monotonic()
        loss = float("nan")

        def report(step: int, now: float, job: Job = job, began: float = began) -> None:
            nonlocal said, loss
            loss = now
            if time.monotonic() - said >= _EVERY:
                said = time.monotonic()
                tick([Running(job, step, loss, said - began)])

        status, reason = attempt(job, report, world)
        yield Outcome(job, status, reason, time.monotonic() - began, loss)
        if status != "ok":
            return
    world.gather(None)


def follow(world: World) -> None:
    """Take part in every cell that ``lead`` begins, until it has no more."""
    while job := world.gather(None)[0]:
        status, reason = attempt(job, lambda step, loss: None, world)
        if status != "ok":
            time.sleep(_GRACE)  # torchrun kills the first as soon as this one is gone
            raise SystemExit(f"process {world.rank}, {job.cell}: {status}, {reason}")
