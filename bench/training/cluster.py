"""Cells as jobs of a cluster, by submitit: one job a cell, each like a worker of ``pool``."""

import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.errors import UserError
from bench.training.cell_pool import Outcome, Running
from bench.training.job import Job

_RUNS = ("RUNNING", "COMPLETING")
_DAY = 24 * 60  # minutes


def open_executor(
    folder: Path, launcher: str, options: Mapping[str, Any], workers: Iterable[int]
) -> Any:
    """Return submitit's executor for slurm, or local: processes of this machine.

    ``options`` are submitit's (``timeout_min``, ``gpus_per_node``, ``slurm_partition``,
    ``slurm_array_parallelism`` …); by default a job gets a day and the CPU cores that its
    ``workers`` need. Raises UserError where submitit or sbatch is missing, or an option is none.
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
    jobs: Sequence[Job], executor: Any, every: float, tick: Callable[[list[Running]], None]
) -> Iterator[Outcome]:
    """Submit ``jobs`` as one array and yield outcomes as they come; an interrupt cancels the rest.

    The cluster is asked ``every`` so many seconds. Logs lie in the executor's folder.
    """
    began = time.monotonic()
    waiting = dict(zip(executor.map_array(_attempt, jobs), jobs, strict=True))
    try:
        while waiting:
            for one in [one for one in waiting if one.done()]:
                job = waiting.pop(one)
                status, reason = _ended(one)
                yield Outcome(job, status, reason, time.monotonic() - began)
            now = time.monotonic() - began
            running = [job for one, job in waiting.items() if one.state in _RUNS]
            tick([Running(job, 0, math.nan, now) for job in running])
            if waiting:
                time.sleep(every)
    finally:
        for one in waiting:
            one.cancel(check=False)


def _attempt(job: Job) -> tuple[str, str]:
    """Run in the cluster's job, which is a process of its own."""
    os.chdir(job.layout.root)
    from bench.training.run_job import attempt

    return attempt(job, lambda step, loss: None)


def _ended(one: Any) -> tuple[str, str]:
    try:
        status, reason = one.result()
    except Exception as error:  # killed, out of time, or lost
        last = str(error).strip().splitlines() or [type(error).__name__]
        return "failed", f"its job {one.job_id} died ({last[-1].strip()}); log: {one.paths.stderr}"
    return status, reason
