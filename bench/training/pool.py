"""Run cells side by side, one process each, so that no cell can harm another."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import Any

from bench.training.job import Job

_progress: Any = None  # shared by the parent through the worker's initialiser


@dataclass(frozen=True)
class Outcome:
    """How a cell ended: status ok, failed, broken or missing, with the reason."""

    job: Job
    status: str
    reason: str
    seconds: float


def run_jobs(
    jobs: Sequence[Job], side_by_side: int, gpus: int, tick: Callable[[float], None]
) -> Iterator[Outcome]:
    """Yield outcomes as they come; ``tick`` gets the steps of unfinished cells, twice a second.

    A worker that dies (killed, out of memory, ``os._exit``) fails its own cell and is replaced.
    """
    # Read by the C library as a worker starts: it keeps freed memory, which each step needs again.
    os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", "1000000000")
    os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", "1000000000")
    context = get_context("spawn")
    slots = min(side_by_side, len(jobs))
    progress = context.Array("d", slots)
    workers = [_worker(context, progress, slot, gpus) for slot in range(slots)]
    todo = list(reversed(jobs))
    running: dict[Future[tuple[str, str]], tuple[int, Job, float]] = {}
    try:
        while todo or running:
            idle = set(range(slots)) - {slot for slot, _, _ in running.values()}
            for slot in sorted(idle):
                if todo:
                    job = todo.pop()
                    future = workers[slot].submit(_work, job)
                    running[future] = (slot, job, time.monotonic())
            done, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
            for future in done:
                slot, job, began = running.pop(future)
                progress[slot] = 0.0
                try:
                    status, reason = future.result()
                except BrokenProcessPool:
                    status, reason = "failed", "its process died (killed, or out of memory)"
                    workers[slot].shutdown(wait=False)
                    workers[slot] = _worker(context, progress, slot, gpus)
                yield Outcome(job, status, reason, time.monotonic() - began)
            tick(sum(progress[:]))
    finally:
        for worker in workers:
            for process in list((worker._processes or {}).values()):
                process.terminate()
            worker.shutdown(wait=False, cancel_futures=True)


def _worker(context: Any, progress: Any, slot: int, gpus: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, context, initializer=_initialise, initargs=(progress, slot, gpus))


def _initialise(progress: Any, slot: int, gpus: int) -> None:
    global _progress
    _progress = (progress, slot)
    Thread(target=_end_with_parent, daemon=True).start()
    if gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = str(slot % gpus)
    else:
        # More threads a process are slower for small models, and change the order of sums.
        os.environ["OMP_NUM_THREADS"] = "1"
        os.environ["MKL_NUM_THREADS"] = "1"


def _end_with_parent() -> None:
    """End this worker, idle or not, when its parent is killed: nobody waits for its cell."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(job: Job) -> tuple[str, str]:
    from bench.errors import UserError
    from bench.files import locked
    from bench.registry import blame, load
    from bench.training.cell import MissingInput, run_cell
    from bench.training.loop import Diverged

    try:
        load(job.method)
    except UserError as error:
        return "broken", str(error)
    done = job.layout.runs / job.cell / "run.json"
    before = done.stat().st_mtime_ns if done.is_file() else 0
    try:
        # Another training of the same profile, or what a kill has left of one, may write this cell.
        with locked(job.layout.scratch / "locks" / job.cell):
            if not done.is_file() or done.stat().st_mtime_ns == before:
                run_cell(job, _report)
    except MissingInput as error:
        return "missing", str(error)
    except (UserError, Diverged, FloatingPointError) as error:
        return "failed", str(error)
    except (Exception, SystemExit) as error:
        return "failed", blame(error, job.method.path)
    return "ok", ""


def _report(step: int, loss: float) -> None:
    shared, slot = _progress
    shared[slot] = float(step)
