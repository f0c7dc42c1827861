"""Train cells in parallel in worker processes; one that crashes or hangs fails only its cell."""

import gc
import os
import random
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import active_children, get_context
from threading import current_thread, main_thread
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch

from bench.training.job import Job
from bench.utils.machine import visible_gpus
from bench.utils.processes import spawned

_LIMITS = (resource.RLIMIT_AS, resource.RLIMIT_DATA, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE)


def process_state() -> dict[str, Any]:
    """Return the settings of this process that numbers depend on, but for the random generators.

    Those are seeded anew for each cell. Functions of torch and of the project count by identity, so
    that a replaced one is noticed.
    """
    cudnn = torch.backends.cudnn
    denormal = torch.tensor(1e-39)
    return {
        "dtype": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "gradients": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "anomalies": torch.is_anomaly_enabled(),
        "threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "filled": torch.utils.deterministic.fill_uninitialized_memory,  # type: ignore[attr-defined]
        "denormals": bool(denormal.mul(1) == 0),
        "matmul": torch.get_float32_matmul_precision(),
        "cudnn": (cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32),
        "numpy": tuple(sorted(np.geterr().items())),
        "folder": os.getcwd(),
        # Decord adds to PATH when it is imported, which every cell with that backend would do.
        "environment": {k: v for k, v in os.environ.items() if k != "PATH"},
        "garbage": gc.isenabled(),
        "limits": [resource.getrlimit(kind) for kind in _LIMITS],
        "running": set(threading.enumerate()),
        "functions": {name: _functions(module) for name, module in _watched()},
    }


def changed(before: dict[str, Any]) -> list[str]:
    """Name what differs from an earlier ``process_state``.

    Modules imported since do not count, nor do threads that have ended.
    """
    now = process_state()
    now["running"] |= before["running"]
    now["functions"] = {k: v for k, v in now["functions"].items() if k in before["functions"]}
    return [name for name, value in before.items() if now[name] != value]


def _watched() -> list[tuple[str, ModuleType]]:
    own = [name for name in sys.modules if name.startswith("bench.")]
    modules = {name: sys.modules[name] for name in own}
    return [*modules.items(), ("torch", torch), ("F", torch.nn.functional), ("random", random)]


def _functions(module: ModuleType) -> dict[str, int]:
    """Return name -> identity of a module's callables."""
    return {k: id(v) for k, v in list(vars(module).items()) if callable(v)}


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
    from bench.training.cell_pool import changed, process_state
    from bench.training.device import prepare

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
