"""The ways to run cells: worker processes of this machine, jobs of a cluster, or ``torchrun``.

Each yields the outcomes of the cells as they come. ``bench.training.run_job`` is imported where a
cell runs, so that the settings of a worker's environment come first.
"""

import gc
import math
import os
import random
import resource
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import active_children, get_context
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch

from bench.errors import UserError
from bench.training.distributed import World
from bench.training.job import Job
from bench.utils.machine import visible_gpus
from bench.utils.worker_pool import spawned

DIED = "its process died (killed, or out of memory)"
ASLEEP = 30.0  # seconds between two looks: all processes were stopped (Ctrl-Z), none stalls
_LIMITS = (resource.RLIMIT_AS, resource.RLIMIT_DATA, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE)
_GRACE = 30.0  # seconds in which the first process of torchrun writes what failed
_LOOK = 0.5  # seconds between two calls of ``tick``
_DAY = 24 * 60  # minutes

Ended = tuple[str, str, bool]


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
    loss: float = math.nan  # the last that was logged


Tick = Callable[[list[Running]], None]


class _Worker:
    """A process that runs one cell after the other, and its place in the shared ``progress``.

    ``progress`` holds the steps of each worker, then its last sign of life, then its loss. It has
    no lock, which a killed worker would keep.
    """

    def __init__(self, progress: Any, slot: int, slots: int, gpus: int) -> None:
        self._progress = progress
        self._steps, self._alive, self._loss = slot, slots + slot, 2 * slots + slot
        self._start = partial(spawned, 1, _initialise, progress, slot, gpus)
        self._pool = self._start()
        self.future: Future[Ended] | None = None
        self._stalled = False

    def begin(self, job: Job) -> None:
        """Run a cell; ``future`` ends with it."""
        self._job, self._stalled = job, False
        self._progress[self._steps], self._progress[self._loss] = 0.0, math.nan
        try:
            self.future = self._pool.submit(_work, job)
        except BrokenProcessPool:  # the process died after its last cell had ended
            self._pool = self._start()
            self.future = self._pool.submit(_work, job)
        self._began = time.monotonic()

    def end(self) -> Outcome:
        """Return how the cell ended; replace a process that died or that the cell changed."""
        assert self.future is not None
        try:
            status, reason, reusable = self.future.result()
        except BrokenProcessPool:
            status, reason, reusable = "failed", DIED, False
            if self._stalled:
                reason = f"no step and no video ended for {self._job.train.stall_s} s (stall_s)"
        if not reusable:
            self.kill()
            self._pool = self._start()
        self.future = None
        loss = self._progress[self._loss]
        return Outcome(self._job, status, reason, time.monotonic() - self._began, loss)

    def watch(self, resumed: float) -> Running:
        """Return how far the cell is; end its process if it has stalled since ``resumed``."""
        now, limit = time.monotonic(), self._job.train.stall_s
        quiet = now - max(self._began, self._progress[self._alive], resumed)
        if limit and quiet > limit and not self._stalled:
            self._stalled = True
            _end(self._pool)
        steps, loss = self._progress[self._steps], self._progress[self._loss]
        return Running(self._job, steps, loss, now - self._began)

    def kill(self) -> None:
        """End the process, whatever it does."""
        _end(self._pool)
        self._pool.shutdown(wait=False, cancel_futures=True)


def run_jobs(jobs: Sequence[Job], side_by_side: int, gpus: int, tick: Tick) -> Iterator[Outcome]:
    """Yield outcomes as they come; ``tick`` gets the cells that run, twice a second.

    A worker that dies (killed, out of memory, ``os._exit``) fails its own cell and is replaced; so
    does one whose cell ends no step and no video for its ``stall_s`` seconds. A worker runs further
    cells, as its start takes longer than many cells, unless a cell changed ``process_state``.
    """
    # Read by the C library as a worker starts: it keeps freed memory, which each step needs again.
    os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", "1000000000")
    os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", "1000000000")
    slots = min(side_by_side, len(jobs))
    progress = get_context("spawn").Array("d", 3 * slots, lock=False)
    workers = [_Worker(progress, slot, slots, gpus) for slot in range(slots)]
    todo = deque(jobs)
    turn = resumed = time.monotonic()
    interrupts: list[int] = []
    handler = _note(interrupts)
    try:
        while todo or any(worker.future for worker in workers):
            if interrupts:
                raise KeyboardInterrupt
            for worker in workers:
                if todo and worker.future is None:
                    worker.begin(todo.popleft())
            busy = {worker.future: worker for worker in workers if worker.future}
            for future in wait(busy, timeout=_LOOK, return_when=FIRST_COMPLETED).done:
                yield busy[future].end()
            last, turn = turn, time.monotonic()
            if turn - last > ASLEEP:
                resumed = turn
            tick([worker.watch(resumed) for worker in workers if worker.future])
    finally:
        for worker in workers:
            worker.kill()
        for process in active_children():  # interrupted before its executor knew of it
            process.kill()
        if handler:
            signal.signal(signal.SIGINT, handler)


def _note(interrupts: list[int]) -> Any:
    """Note each Ctrl-C, for Python drops one that meets a destructor; return the old handler."""
    usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not usual or threading.current_thread() is not threading.main_thread():
        return None

    def noted(number: int, _: Any) -> None:
        interrupts.append(number)
        raise KeyboardInterrupt

    return signal.signal(signal.SIGINT, noted)


def _end(pool: ProcessPoolExecutor) -> None:
    for process in list((pool._processes or {}).values()):
        process.kill()  # a method may have made its process deaf to SIGTERM


_progress: Any = None  # what the parent shares with this worker, and the worker's place in it


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
    from bench.training.device import prepare

    with suppress(UserError):  # which the cell itself reports
        prepare(job.train.device)  # as every cell does: that is no change
    before = process_state()
    status, reason = _attempt(job, _report)
    try:
        reusable = not changed(before)
    except Exception:  # its folder is gone, or a function used here was replaced
        reusable = False
    return status, reason, reusable


def _attempt(
    job: Job, report: Callable[[int, float], None] = lambda step, loss: None
) -> tuple[str, str]:
    from bench.training.run_job import attempt

    return attempt(job, report)


def _report(step: int, loss: float) -> None:
    shared, slot = _progress
    slots = len(shared) // 3
    shared[slot] = float(step)
    shared[slots + slot] = time.monotonic()  # the same clock in every process
    shared[2 * slots + slot] = loss


def process_state() -> dict[str, Any]:
    """Return the settings of this process that numbers depend on, but for the random generators.

    Those are seeded for each cell. Functions of torch and of the project are compared by identity,
    so that a replaced one is noticed.
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
        "functions": {
            name: {k: id(v) for k, v in list(vars(module).items()) if callable(v)}
            for name, module in _watched().items()
        },
    }


def _watched() -> dict[str, ModuleType]:
    own = {name: sys.modules[name] for name in list(sys.modules) if name.startswith("bench.")}
    return own | {"torch": torch, "F": torch.nn.functional, "random": random}


def changed(before: dict[str, Any]) -> list[str]:
    """Name what differs from an earlier ``process_state``.

    Modules imported since do not count, nor do threads that have ended.
    """
    now = process_state()
    now["running"] |= before["running"]
    now["functions"] = {k: v for k, v in now["functions"].items() if k in before["functions"]}
    return [name for name, value in before.items() if now[name] != value]


def open_executor(
    folder: Path, launcher: str, options: Mapping[str, Any], workers: Iterable[int]
) -> Any:
    """Return submitit's executor for slurm, or local: processes of this machine.

    ``options`` are submitit's (``timeout_min``, ``gpus_per_node``, ``slurm_partition``,
    ``slurm_array_parallelism`` …); by default a job gets a day and the CPU cores that its
    ``workers`` need. Raises UserError if submitit or sbatch is missing or an option is unknown.
    """
    try:
        import submitit
    except ImportError:
        raise UserError(
            "--launcher needs submitit; install it with: pip install 'aurl-bench[cluster]'"
        ) from None
    try:
        executor = submitit.AutoExecutor(folder=folder / "%j", cluster=launcher)
    except RuntimeError as error:
        raise UserError(f"--launcher {launcher}: {error}; run it where sbatch is") from None
    usual = {"timeout_min": _DAY, "cpus_per_task": 1 + max(workers), "name": "aurl-bench"}
    try:
        executor.update_parameters(**{**usual, **options})
    except (NameError, TypeError, ValueError, AssertionError) as error:
        raise UserError(f"--launcher-option: {' '.join(str(error).split())}") from None
    return executor


def run_on_cluster(
    jobs: Sequence[Job], executor: Any, every: float, tick: Tick
) -> Iterator[Outcome]:
    """Submit ``jobs`` as one array and yield outcomes as they come; an interrupt cancels the rest.

    The cluster is asked every ``every`` seconds. Logs are in the executor's folder.
    """
    began = time.monotonic()
    waiting = dict(zip(executor.map_array(_in_cluster_job, jobs), jobs, strict=True))
    try:
        while waiting:
            for one in [one for one in waiting if one.done()]:
                job = waiting.pop(one)
                try:
                    status, reason = one.result()
                except Exception as error:  # killed, out of time, or lost
                    last = (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()
                    status = "failed"
                    reason = f"its job {one.job_id} died ({last}); log: {one.paths.stderr}"
                yield Outcome(job, status, reason, time.monotonic() - began)
            now = time.monotonic() - began
            running = [j for one, j in waiting.items() if one.state in ("RUNNING", "COMPLETING")]
            tick([Running(job, 0, math.nan, now) for job in running])
            if waiting:
                time.sleep(every)
    finally:
        for one in waiting:
            one.cancel(check=False)


def _in_cluster_job(job: Job) -> tuple[str, str]:
    os.chdir(job.layout.root)
    return _attempt(job)


def lead(jobs: Sequence[Job], world: World, tick: Tick) -> Iterator[Outcome]:
    """Train ``jobs`` in turn with the processes that ``follow``; stop at the first failure.

    The first process plans, reports and writes. A cell that fails in one process would leave the
    others waiting for it, so a failure ends them all: ``torchrun`` starts them again
    (``--max-restarts``) or gives up, and the next run continues from the last saved state.
    """
    from bench.training.run_job import attempt

    for job in jobs:
        world.gather(job)
        began = said = time.monotonic()
        loss = math.nan

        def report(step: int, now: float, job: Job = job, began: float = began) -> None:
            nonlocal said, loss
            loss = now
            if time.monotonic() - said >= _LOOK:
                said = time.monotonic()
                tick([Running(job, step, loss, said - began)])

        status, reason = attempt(job, report, world)
        yield Outcome(job, status, reason, time.monotonic() - began, loss)
        if status != "ok":
            return
    world.gather(None)


def follow(world: World) -> None:
    """Take part in every cell that ``lead`` begins, until there are no more."""
    from bench.training.run_job import attempt

    while job := world.gather(None)[0]:
        status, reason = attempt(job, lambda step, loss: None, world)
        if status != "ok":
            time.sleep(_GRACE)  # torchrun kills the first as soon as this one is gone
            raise SystemExit(f"process {world.rank}, {job.cell}: {status}, {reason}")
