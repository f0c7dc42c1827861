"""Run cells side by side, one process each, so that no cell can harm another."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import active_children, get_context
from threading import current_thread, main_thread
from typing import Any, NamedTuple

from bench.training.job import Job
from bench.utils.machine import visible_gpus
from bench.utils.processes import spawned

DIED = "its process died (killed, or out of memory)"
ASLEEP = 30.0  # seconds between two looks at the workers: all were stopped (Ctrl-Z), none stalls
Ended = tuple[str, str, bool]

_progress: Any = None  # shared by the parent through the worker's initialiser
_NONE = float("nan")


class Running(NamedTuple):
    """A cell in training: its finished steps, its last logged loss (NaN before the first)."""

    job: Job
    steps: float
    loss: float
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """How a cell ended: status ok, failed, broken or missing, with the reason."""

    job: Job
    status: str
    reason: str
    seconds: float
    loss: float = _NONE  # the last that was logged


def run_jobs(
    jobs: Sequence[Job], side_by_side: int, gpus: int, tick: Callable[[list[Running]], None]
) -> Iterator[Outcome]:
    """Yield outcomes as they come; ``tick`` gets the cells that run, twice a second.

    A worker that dies (killed, out of memory, ``os._exit``) fails its own cell and is replaced; so
    does one whose cell ends no step and no video for its ``stall_s`` seconds. One whose cell left
    the process changed (``isolation``) is replaced, so that the next cell's numbers are its own.
    """
    # Read by the C library as a worker starts: it keeps freed memory, which each step needs again.
    os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", "1000000000")
    os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", "1000000000")
    slots = min(side_by_side, len(jobs))
    # Steps of each slot, then its last sign of life, then its loss; no lock, which a killed worker
    # would keep.
    progress = get_context("spawn").Array("d", 3 * slots, lock=False)
    workers = [spawned(1, _initialise, progress, slot, gpus) for slot in range(slots)]
    todo = list(reversed(jobs))
    running: dict[Future[Ended], tuple[int, Job, float]] = {}
    stalled: set[Future[Ended]] = set()
    turn = resumed = time.monotonic()
    interrupts: list[int] = []
    handler = _note(interrupts)
    try:
        while todo or running:
            if interrupts:
                raise KeyboardInterrupt
            idle = set(range(slots)) - {slot for slot, _, _ in running.values()}
            for slot in sorted(idle):
                if todo:
                    job = todo.pop()
                    progress[slot], progress[2 * slots + slot] = 0.0, _NONE
                    try:
                        future = workers[slot].submit(_work, job)
                    except BrokenProcessPool:  # it died after its cell had ended: not this one's
                        workers[slot] = spawned(1, _initialise, progress, slot, gpus)
                        future = workers[slot].submit(_work, job)
                    running[future] = (slot, job, time.monotonic())
            done, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
            for future in done:
                slot, job, began = running.pop(future)
                try:
                    status, reason, reusable = future.result()
                except BrokenProcessPool:
                    status, reason, reusable = "failed", DIED, False
                    if future in stalled:
                        reason = f"no step and no video ended for {job.train.stall_s} s (stall_s)"
                if not reusable:
                    _end(workers[slot])  # a thread that the method left would keep it alive
                    workers[slot].shutdown(wait=False)
                    workers[slot] = spawned(1, _initialise, progress, slot, gpus)
                loss = progress[2 * slots + slot]
                yield Outcome(job, status, reason, time.monotonic() - began, loss)
            last, turn = turn, time.monotonic()
            if turn - last > ASLEEP:
                resumed = turn
            for future, (slot, job, began) in running.items():
                quiet = turn - max(began, progress[slots + slot], resumed)
                if job.train.stall_s and quiet > job.train.stall_s and future not in stalled:
                    stalled.add(future)
                    _end(workers[slot])
            now = time.monotonic()
            tick(
                [
                    Running(job, progress[slot], progress[2 * slots + slot], now - began)
                    for slot, job, began in running.values()
                ]
            )
    finally:
        for worker in workers:
            _end(worker)
            worker.shutdown(wait=False, cancel_futures=True)
        for process in active_children():  # interrupted before its executor knew of it
            process.kill()
        if handler:
            signal.signal(signal.SIGINT, handler)


def _note(interrupts: list[int]) -> Any:
    """Note each Ctrl-C, for Python drops one that meets a destructor; return the old handler."""
    usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not usual or current_thread() is not main_thread():
        return None

    def noted(number: int, _: Any) -> None:
        interrupts.append(number)
        raise KeyboardInterrupt

    return signal.signal(signal.SIGINT, noted)


def _end(worker: ProcessPoolExecutor) -> None:
    for process in list((worker._processes or {}).values()):
        process.kill()  # a method may have made its process deaf to SIGTERM


def _initialise(progress: Any, slot: int, gpus: int) -> None:
    global _progress
    _progress = (progress, slot)
    if gpus:
        allowed = visible_gpus()
        if allowed is None:
            allowed = [str(number) for number in range(gpus)]
        os.environ["CUDA_VISIBLE_DEVICES"] = allowed[slot % len(allowed)]
    else:
        # More threads a process are slower for small models, and change the order of sums.
        os.environ["OMP_NUM_THREADS"] = "1"
        os.environ["MKL_NUM_THREADS"] = "1"


def _work(job: Job) -> Ended:
    """Run a cell; return its status, the reason, and whether this process may run another."""
    from bench.errors import UserError
    from bench.training.device import prepare
    from bench.training.isolation import changed, process_state

    with suppress(UserError):  # which the cell itself reports
        prepare(job.train.device)  # as every cell does: that is no change
    before = process_state()
    status, reason = _tried(job)
    try:
        reusable = not changed(before)
    except Exception:  # its folder is gone, or what would be asked was replaced
        reusable = False
    return status, reason, reusable


def _tried(job: Job) -> tuple[str, str]:
    from bench.training.run_job import attempt

    return attempt(job, _report)


def _report(step: int, loss: float) -> None:
    shared, slot = _progress
    slots = len(shared) // 3
    shared[slot] = float(step)
    shared[slots + slot] = time.monotonic()  # the same clock in every process
    shared[2 * slots + slot] = loss
