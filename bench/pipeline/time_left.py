"""How long the cells that are not done take, method by method, and which part of a step limits.

Records of cells that were trained on this machine with the same settings tell it. Of other methods
one cell is tried: a few steps in a folder that is removed again. It reads the videos, and decodes
those of a store, as the training does; what it decodes the training finds.
"""

import heapq
import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import torch

from bench.config.paths import Layout
from bench.config.profile import Config
from bench.data.index import Index, read_index
from bench.errors import UserError
from bench.experiments.method_registry import blame
from bench.experiments.plan import PlannedCell
from bench.experiments.record import Record, read_records
from bench.training.job import Job
from bench.training.planned_job import job_of
from bench.training.run_cell import run_cell
from bench.utils.io import read_json
from bench.utils.machine import this_processor

_BATCH, _STEPS = 4, 6  # of the first trial; its first steps do not count
_MOST = 24  # steps of the second, at the whole batch
_BUDGET = 4.0  # seconds that the second may take
_VIDEOS = 500  # of a trial that trains by no steps
_FORWARD = 1 / 3  # share of the forward pass in a step where nothing measured it


@dataclass(frozen=True)
class MethodTime:
    """Seconds of one cell of a method, of its steps and of embedding; None: not known.

    ``shares`` of a step's time are 0 to 1 (see ``bench.experiments.record.Speed``), empty where
    not measured.
    """

    method: str
    scope: str  # "transfer", or "<data set>.<protocol>" of a model a split
    cells: int
    cell_s: float | None
    steps: int = 0
    step_s: float = 0.0
    embed_s: float = 0.0
    shares: Mapping[str, float] = field(default_factory=dict)
    basis: str = ""  # "3 records", "a trial of 24 steps of 64", or why it is not known

    @property
    def limit(self) -> str:
        """The part of a step that takes longest; "" where that is not known."""
        parts = {name: share for name, share in self.shares.items() if name != "other"}
        return max(parts, key=lambda name: parts[name]) if parts else ""


class _Trial(Layout):
    """The profile's layout, but what a trial leaves goes into a folder of its own."""

    @property
    def runs(self) -> Path:
        return self.scratch / "trials" / str(os.getpid())


def method_times(
    config: Config,
    layout: Layout,
    cells: Iterable[PlannedCell],
    tell: Callable[[str], None] = lambda method: None,
) -> list[MethodTime]:
    """Return the time of each method that has ``cells`` to train, in their order.

    ``tell`` gets the name of each method that is to be tried. UserError where a stage is missing.
    """
    groups: dict[tuple[str, str], list[PlannedCell]] = {}
    for cell in cells:
        groups.setdefault((cell.method, _scope(cell.split)), []).append(cell)
    records: dict[tuple[str, str], list[Record]] = {}
    for record in read_records(layout.records):
        records.setdefault((record.method, _scope(record.split)), []).append(record)
    trial = _Trial(layout.root, layout.profile)
    found = []
    try:
        for key, group in groups.items():
            job, count = job_of(config, layout, group[0]), len(group)
            known = _recorded(job, records.get(key, ()), count)
            if known is None:
                tell(job.method.name)
                known = _tried(replace(job, layout=trial, cell=f"trial.{job.cell}"), count)
            found.append(replace(known, scope=key[1]))
    finally:
        shutil.rmtree(trial.runs, ignore_errors=True)
    return found


def total(times: Iterable[MethodTime], side_by_side: int) -> float:
    """Return the seconds until the last cell ends, ``side_by_side`` at a time, in their order.

    Methods whose time is not known count as nothing.
    """
    free = [0.0] * max(1, side_by_side)
    for one in times:
        for _ in range(one.cells if one.cell_s is not None else 0):
            heapq.heapreplace(free, free[0] + (one.cell_s or 0.0))
    return max(free)


def _scope(split: str) -> str:
    return ".".join(split.split(".")[:2])


def _recorded(job: Job, records: Sequence[Record], cells: int) -> MethodTime | None:
    """Return what records of this machine say of a cell with the job's settings, if any does."""
    now = {
        "train": job.train.numbers(),
        "input": job.input.numbers(),
        "network": job.network.model_dump(mode="json"),
    }
    here = {"device": _device(job), "cpu": this_processor()}
    same = [
        one
        for one in records
        if (one.status, one.world_size) == ("ok", 1)
        and all(one.environment.get(name) == value for name, value in here.items())
        and all(_agree(block, one.parameters.get(name, {})) for name, block in now.items())
    ]
    if not same:
        return None
    basis = f"{len(same)} record{'s' * (len(same) > 1)} of this machine"
    whole = median(one.wall_s for one in same)
    timed = [one for one in same if one.speed is not None]
    speeds = [one.speed for one in timed if one.speed is not None]
    if not speeds:
        return MethodTime(job.method.name, "", cells, whole, basis=basis)
    step, steps = median(one.step_s for one in speeds), timed[0].steps
    names = speeds[0].shares
    shares = {name: median(one.shares.get(name, 0.0) for one in speeds) for name in names}
    rest = max(0.0, whole - steps * step)
    return MethodTime(job.method.name, "", cells, whole, steps, step, rest, shares, basis)


def _agree(now: Mapping[str, Any], then: Mapping[str, Any]) -> bool:
    """Tell whether what both name is the same; a record may be older than a parameter."""
    return bool(now.keys() & then) and all(now[key] == then[key] for key in now.keys() & then)


def _device(job: Job) -> str:
    cuda = job.train.device != "cpu" and torch.cuda.is_available()
    return torch.cuda.get_device_name() if cuda else "cpu"


def _tried(job: Job, cells: int) -> MethodTime:
    """Train a cell for a few steps; whatever goes wrong is the reason why its time is not known."""
    try:
        by_steps = job.checkpoint is None and job.method.learning == "steps"
        return _by_steps(job, cells) if by_steps else _at_once(job, cells)
    except UserError as error:
        reason = str(error)
    except Exception as error:  # a method's own error, too little memory
        reason = blame(error, job.method.path)
    return MethodTime(job.method.name, "", cells, None, basis=" ".join(reason.split())[:200])


def _by_steps(job: Job, cells: int) -> MethodTime:
    whole = job.train.batch
    batch, steps = min(_BATCH, whole), _STEPS
    step, shares = _time_steps(job, batch, steps)
    if batch < whole and step * whole / batch * _STEPS < _BUDGET:
        steps = int(min(_MOST, max(_STEPS, _BUDGET / (step * whole / batch))))
        batch = whole
        step, shares = _time_steps(job, batch, steps)
    step *= whole / batch
    ahead = job.input.workers
    read = shares.get("read", 0.0) * step
    forward = shares.get("forward", _FORWARD) * step
    clips = _test_clips(job)
    embed = clips * (forward + read) / whole
    if ahead:  # the trial has read in its own process
        step = max(step - read, read / ahead)
    basis = f"a trial of {steps} steps of {batch}"
    whole_s = job.train.steps * step + embed
    return MethodTime(
        job.method.name, "", cells, whole_s, job.train.steps, step, embed, shares, basis
    )


def _time_steps(job: Job, batch: int, steps: int) -> tuple[float, dict[str, float]]:
    """Return the median seconds of a step after the first, and the shares that were measured."""
    few = {"steps": steps, "batch": batch, "warmup": 0, "milestones": (), "log_every": 1}
    few |= {"eval_every": 0, "checkpoint_every": 0, "keep_model": False}
    small = replace(
        job,
        tests={},
        train=job.train.model_copy(update=few),
        input=job.input.model_copy(update={"seen_per_class": 0, "workers": 0}),
    )
    ends: list[float] = []
    _, facts = _run(small, lambda *_: ends.append(time.perf_counter()))
    speed = facts.get("speed") or {}
    passed = [after - before for before, after in pairwise(ends[:steps])]
    return median(passed), dict(speed.get("shares", {}))


def _at_once(job: Job, cells: int) -> MethodTime:
    """Time what trains by no steps on some of its classes, and multiply by the videos."""
    indices = {name: read_index(job.layout.index, name) for name in _names(job)}
    fitted = job.checkpoint is None and job.method.learning == "closed form"
    seen = _some(indices[job.train_on], job.seen) if fitted else job.seen
    tests = {name: _some(indices[name], classes) for name, classes in job.tests.items()}
    clips = {"video", "clips"} & {*job.method.uses(job.values)[0]}
    few = {"seen_per_class": 0} | ({"test_clips": 1} if clips else {})
    small = replace(
        job,
        seen=seen,
        tests=tests,
        held_out=(),
        train=job.train.model_copy(update={"keep_model": False}),
        input=job.input.model_copy(update=few),
    )
    seconds, _ = _run(small, lambda *_: None)
    tried = _videos(indices, tests) + (_videos(indices, {job.train_on: seen}) if fitted else 0)
    every = _videos(indices, job.tests) * (job.input.test_clips if clips else 1)
    every += _videos(indices, {job.train_on: job.seen}) if fitted else 0
    took = seconds * every / max(tried, 1)
    return MethodTime(job.method.name, "", cells, took, basis=f"a trial of {tried} videos")


def _run(job: Job, report: Callable[..., None]) -> tuple[float, dict[str, Any]]:
    start = time.perf_counter()
    run_cell(job, report)
    seconds = time.perf_counter() - start
    return seconds, read_json(job.layout.runs / job.cell / "run.json") or {}


def _names(job: Job) -> list[str]:
    return list(dict.fromkeys([*filter(None, [job.train_on]), *job.tests]))


def _some(index: Index, classes: Sequence[str]) -> tuple[str, ...]:
    """Return the first classes that have together ``_VIDEOS`` videos."""
    chosen: list[str] = []
    for name in classes:
        if chosen and _videos({index.name: index}, {index.name: chosen}) >= _VIDEOS:
            break
        chosen.append(name)
    return tuple(chosen)


def _videos(indices: Mapping[str, Index], classes: Mapping[str, Sequence[str]]) -> int:
    count = 0
    for name, chosen in classes.items():
        wanted = {indices[name].classes.index(one) for one in chosen}
        count += sum(int(label) in wanted for label in indices[name].labels)
    return count


def _test_clips(job: Job) -> int:
    """Return how many clips a cell embeds after its training."""
    indices = {name: read_index(job.layout.index, name) for name in _names(job)}
    seen = _videos(indices, {job.train_on: job.seen})
    embedded = min(seen, job.input.seen_per_class * len(job.seen))
    return (_videos(indices, job.tests) + embedded) * job.input.test_clips
