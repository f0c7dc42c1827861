"""How long the cells that are left take, by method, and which part of a training step limits.

Records of cells trained on this machine with the same settings give the time. ``bench status
--eta`` tries one cell of every other method for a few steps, in a folder that is removed again; the
trial reads and decodes videos like the training, which reuses what is decoded.
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
from bench.experiments.cell_cache import is_done
from bench.experiments.method_registry import blame
from bench.experiments.plan import PlannedCell, plan, scope
from bench.experiments.record import Record, Run, read_records
from bench.training.job import Job, job_of
from bench.training.run_cell import run_cell
from bench.utils.machine import side_by_side, this_processor

_BATCH, _STEPS = 4, 6  # of the first trial, whose first step does not count
_MOST = 24  # steps of the second trial, at the whole batch
_BUDGET = 4.0  # seconds that the second trial may take
_VIDEOS = 500  # in the trial of a method that does not train by steps
_FORWARD = 1 / 3  # share of the forward pass in a step where it was not measured


@dataclass(frozen=True)
class MethodTime:
    """Seconds of one cell of a method, of its steps and of embedding; None if not known.

    ``shares`` of a step's time are between 0 and 1 (see ``bench.experiments.record.Speed``), empty
    if not measured.
    """

    method: str
    scope: str  # "transfer", or "<data set>.<protocol>" if a model is trained for each split
    cells: int
    cell_s: float | None
    steps: int = 0
    step_s: float = 0.0
    embed_s: float = 0.0
    shares: Mapping[str, float] = field(default_factory=dict)
    basis: str = ""  # "3 records", "a trial of 24 steps of 64", or why it is not known

    @property
    def limit(self) -> str:
        """The part of a step that takes longest, "" if not known."""
        parts = {name: share for name, share in self.shares.items() if name != "other"}
        return max(parts, key=lambda name: parts[name]) if parts else ""


class _Trial(Layout):
    """The profile's layout, except that runs go into a temporary folder."""

    @property
    def runs(self) -> Path:
        return self.scratch / "trials" / str(os.getpid())


def method_times(
    config: Config,
    layout: Layout,
    cells: Iterable[PlannedCell],
    tell: Callable[[str], None] = lambda method: None,
) -> list[MethodTime]:
    """Return the time of each method of ``cells``, from records or from a trial.

    ``tell`` is called with the name of each method before its trial. Raises UserError if the
    output of an earlier stage is missing.
    """
    groups: dict[tuple[str, str], list[PlannedCell]] = {}
    for cell in cells:
        groups.setdefault((cell.method, scope(cell.split)), []).append(cell)
    records = _records(layout)
    trial = _Trial(layout.root, layout.profile)
    found = []
    try:
        for (method, where), group in groups.items():
            count = len(group)
            known = _recorded(config, method, records.get((method, where), ()), count)
            if known is None:
                tell(method)
                job = job_of(config, layout, group[0])
                known = _tried(replace(job, layout=trial, cell=f"trial.{job.cell}"), count)
            found.append(replace(known, scope=where))
    finally:
        shutil.rmtree(trial.runs, ignore_errors=True)
    return found


def total(times: Iterable[MethodTime], side_by_side: int) -> float:
    """Return the seconds until the last cell ends, with ``side_by_side`` cells in parallel.

    Cells start in the order given. Methods of unknown time are left out.
    """
    free = [0.0] * max(1, side_by_side)
    for one in times:
        for _ in range(one.cells if one.cell_s is not None else 0):
            heapq.heapreplace(free, free[0] + (one.cell_s or 0.0))
    return max(free)


def remaining_times(
    config: Config, layout: Layout, jobs: int, tell: Callable[[str], None]
) -> tuple[list[MethodTime], int]:
    """Return the time of each method with cells to train, and how many cells train in parallel."""
    planned = plan(config, layout, config.readings.run)
    cells = [c for c in planned if not (c.missing or c.problem or is_done(layout, c))]
    parallel, _ = side_by_side(config.profile.train.device, jobs)
    return method_times(config, layout, cells, tell), parallel


def _records(layout: Layout) -> dict[tuple[str, str], list[Record]]:
    records: dict[tuple[str, str], list[Record]] = {}
    for record in read_records(layout.records):
        records.setdefault((record.method, scope(record.split)), []).append(record)
    return records


def _recorded(
    config: Config, method: str, records: Sequence[Record], cells: int
) -> MethodTime | None:
    """Return a method's time from records of this machine with its present settings, if any."""
    profile = config.profile
    now = {
        "train": profile.train_of(method).numbers(),
        "input": profile.input_of(method).numbers(),
        "network": profile.network.model_dump(mode="json"),
    }
    cuda = profile.train.device != "cpu" and torch.cuda.is_available()
    here = {"device": torch.cuda.get_device_name() if cuda else "cpu", "cpu": this_processor()}
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
        return MethodTime(method, "", cells, whole, basis=basis)
    step, steps = median(one.step_s for one in speeds), timed[0].steps
    names = speeds[0].shares
    shares = {name: median(one.shares.get(name, 0.0) for one in speeds) for name in names}
    rest = max(0.0, whole - steps * step)
    return MethodTime(method, "", cells, whole, steps, step, rest, shares, basis)


def _agree(now: Mapping[str, Any], then: Mapping[str, Any]) -> bool:
    """Tell whether all common parameters are equal; a record may be older than a parameter."""
    return bool(now.keys() & then) and all(now[key] == then[key] for key in now.keys() & then)


def _tried(job: Job, cells: int) -> MethodTime:
    """Train a cell for a few steps; an error is the reason why its time is not known."""
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
    if ahead:  # the trial reads in its own process
        step = max(step - read, read / ahead)
    basis = f"a trial of {steps} steps of {batch}"
    name, steps = job.method.name, job.train.steps
    return MethodTime(name, "", cells, steps * step + embed, steps, step, embed, shares, basis)


def _time_steps(job: Job, batch: int, steps: int) -> tuple[float, dict[str, float]]:
    """Return the median seconds of a step after the first, and the measured shares."""
    few = {"steps": steps, "batch": batch, "warmup": 0, "milestones": (), "log_every": 1}
    few |= {"eval_every": 0, "checkpoint_every": 0, "keep_model": False}
    small = replace(
        job,
        tests={},
        train=job.train.model_copy(update=few),
        input=job.input.model_copy(update={"seen_per_class": 0, "workers": 0}),
    )
    ends: list[float] = []
    _, run = _run(small, lambda *_: ends.append(time.perf_counter()))
    passed = [after - before for before, after in pairwise(ends[:steps])]
    return median(passed), run.speed.shares if run and run.speed else {}


def _at_once(job: Job, cells: int) -> MethodTime:
    """Time a method that does not train by steps on some classes, and scale to all videos."""
    indices = {name: read_index(job.layout.index, name) for name in job.datasets}
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


def _run(job: Job, report: Callable[..., None]) -> tuple[float, Run | None]:
    start = time.perf_counter()
    run_cell(job, report)
    seconds = time.perf_counter() - start
    return seconds, Run.read(job.layout.runs / job.cell / "run.json")


def _some(index: Index, classes: Sequence[str]) -> tuple[str, ...]:
    """Return the first classes that have ``_VIDEOS`` videos together."""
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
    indices = {name: read_index(job.layout.index, name) for name in job.datasets}
    seen = _videos(indices, {job.train_on: job.seen})
    embedded = min(seen, job.input.seen_per_class * len(job.seen))
    return (_videos(indices, job.tests) + embedded) * job.input.test_clips
