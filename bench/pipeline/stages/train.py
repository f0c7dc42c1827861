"""Stage train: train every cell whose fingerprint has no finished run; list the failures."""

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.config.paths import Layout
from bench.config.profile import Config
from bench.errors import UserError, unknown
from bench.experiments import cell_cache
from bench.experiments.cell_cache import is_done
from bench.experiments.method_registry import load, scan
from bench.experiments.plan import PlannedCell, plan
from bench.experiments.record import Failure, FailuresFile
from bench.training.cell_progress import Watch
from bench.training.job import job_of, method_values
from bench.training.launchers import Outcome, open_executor, run_jobs, run_on_cluster
from bench.utils.io import locked, sweep
from bench.utils.machine import cores, side_by_side

if TYPE_CHECKING:
    from bench.training.distributed import World

_PARALLEL_DECODING = 5000  # videos; decoding fewer takes less time than starting processes


@dataclass(frozen=True)
class Trained:
    """What a run of the stage did: ``new`` cells were trained or restored, the rest failed."""

    new: int = 0
    failures: Sequence[Outcome] = ()


@dataclass(frozen=True)
class Launch:
    """Where cells run: ``jobs`` in parallel on this machine (0: one per GPU or core).

    With a ``launcher`` each cell is a job of a cluster (see ``training.cluster``) instead, with
    its ``options``.
    """

    jobs: int = 0
    launcher: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


def run(
    config: Config,
    layout: Layout,
    launch: Launch = Launch(),
    only: Sequence[str] = (),
    readings: bool = False,
    force: bool = False,
    prepare: Callable[[], object] = lambda: None,
) -> Trained:
    """Train the missing cells.

    ``only`` (default: ``only`` of params.yaml) limits the work to some methods or rows. ``force``
    trains finished cells again; otherwise cells from an earlier run with the same parameters are
    restored from the cache. Under ``torchrun`` all processes train each cell together. ``prepare``
    is called once the arguments are known to be right, before the plan is made.
    """
    world = _join_world(launch.launcher)
    if world and not world.first:
        from bench.training.launchers import follow

        follow(world)
        return Trained()
    executor = _executor(config, layout, launch)
    files = scan(layout.root)
    for name in only:
        if name.partition("+")[0] not in files:
            raise unknown("method", name, files)
    if not world:  # several processes would all write
        prepare()
    with locked(layout.scratch / "train.lock"):
        cells = plan(config, layout, readings or config.readings.run)
        chosen = _choose(config, cells, only or config.only)
        able = [c for c in chosen if not c.missing]
        cell_cache.link_shared_files(layout, _data_paths(config))
        missing = [c for c in able if force or not is_done(layout, c)]
        wanted = [] if force else missing
        restored = [c for c in wanted if cell_cache.restore(layout, c.cell, c.fingerprint)]
        missing = [c for c in missing if c not in restored]
        layout.runs.mkdir(parents=True, exist_ok=True)
        sweep(layout.runs)
        sweep(layout.scratch / "state")
        done = f"{len(able) - len(missing)} of {len(able)} cells done"
        done += f" ({len(restored)} restored from the cache)" if restored else ""
        print(f"{done}, {len(missing)} to train")
        for row, reason in {c.row: c.missing for c in chosen if c.missing}.items():
            print(f"{row}: missing, {reason}")
        ended = _train(config, layout, missing, launch, executor, world)
        failures = [one for one in ended if one.status != "ok"]
        untried = {c.cell for c in missing} - {one.job.cell for one in ended}
        if untried:  # under torchrun
            print(f"not tried: {len(untried)} (a failure ended the run; run the command again)")
        tried = [c for c in able if c.cell not in untried]
        failures += _harmed(config, layout, tried, failures) if missing else []
        new = [c for c in missing if is_done(layout, c)]
        finished = [c for c in able if c not in missing] + new
        cell_cache.store(layout, [(c.cell, c.fingerprint) for c in finished], {c.cell for c in new})
        cell_cache.evict(layout, {(c.method, c.parts["core"], c.parts["source"]) for c in cells})
        if not (only or config.only):
            _prune(config, layout)
        _write_failures(layout, cells, chosen, failures)
    return Trained(len(new) + len(restored), failures)


def _join_world(launcher: str) -> "World | None":
    """Join the other processes of a ``torchrun``; None without one."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return None
    if launcher:
        raise UserError("--launcher starts jobs by itself; leave torchrun out")
    from bench.training.distributed import joined

    return joined()


def _executor(config: Config, layout: Layout, launch: Launch) -> Any:
    """Return the executor that submits cells to a cluster, None if they run here."""
    if not launch.launcher:
        return None
    workers = [config.profile.input_of(name).workers for name in scan(layout.root)]
    return open_executor(layout.scratch / "jobs", launch.launcher, launch.options, workers)


def _choose(config: Config, cells: Sequence[PlannedCell], only: Sequence[str]) -> list[PlannedCell]:
    """Return the cells of the methods and rows named in ``only``, all if it is empty."""
    if not cells:
        raise UserError(
            f"profile {config.name} trains on nothing (no train_on): give it a checkpoint to "
            "evaluate with 'bench checkpoint import'"
        )
    for name in only:
        if all(name not in (c.method, c.row) for c in cells):
            raise unknown("method", name, {c.method for c in cells})
    return [c for c in cells if not only or c.method in only or c.row in only]


def _data_paths(config: Config) -> list[Path]:
    """Return the files and folders of data in the profile."""
    sets = config.profile.datasets.values()
    named = [path for d in sets for path in (d.root, d.manifest, d.file, d.lists)]
    return [path for path in named if path]


def _train(
    config: Config,
    layout: Layout,
    missing: Sequence[PlannedCell],
    launch: Launch,
    executor: Any,
    world: "World | None",
) -> list[Outcome]:
    if not missing and not world:
        return []
    count, gpus = side_by_side(config.profile.train.device, launch.jobs)
    _check_parameters(config, layout, missing)
    if config.profile.input.store and any(_reads_clips(config, layout, c) for c in missing):
        _decode_videos(config, layout)
    work = [job_of(config, layout, cell) for cell in missing]
    ended = []
    with Watch(work, 1 if world else count) as watch:
        if world:
            from bench.training.launchers import lead

            outcomes = lead(work, world, watch.tick)
        elif executor:
            every = 0.2 if launch.launcher == "local" else 5.0
            outcomes = run_on_cluster(work, executor, every, watch.tick)
        else:
            outcomes = run_jobs(work, count, gpus, watch.tick)
        for outcome in outcomes:
            watch.finish(outcome)
            ended.append(outcome)
    return ended


def _check_parameters(config: Config, layout: Layout, missing: Sequence[PlannedCell]) -> None:
    """Raise UserError for a wrong parameter of a method before anything trains."""
    files = scan(layout.root)
    seen: list[tuple[str, dict[str, Any]]] = []
    for cell in missing:
        values = method_values(config, cell)
        if values and not cell.problem and (cell.method, values) not in seen:
            from bench.method import create

            seen.append((cell.method, values))
            try:
                kind = load(files[cell.method])
            except UserError:
                continue  # the cell fails with this error; the others train
            create(kind, values)


def _reads_clips(config: Config, layout: Layout, cell: PlannedCell) -> bool:
    file = scan(layout.root)[cell.method]
    needs, _ = file.uses(method_values(config, cell))
    return not cell.problem and bool({"video", "clips"} & set(needs))


def _decode_videos(config: Config, layout: Layout) -> None:
    """Decode the videos into the store that all cells read, in parallel."""
    from bench.data.index import read_index
    from bench.data.video.clip_reader import ClipReader

    for name, described in config.profile.datasets.items():
        if described.kind == "videos" and name != config.profile.pretrain_on:
            index = read_index(layout.index, name)
            jobs = cores() if len(index.paths) > _PARALLEL_DECODING else 1
            ClipReader.open(index, config.profile.input, layout.scratch / "frames", jobs)


def _harmed(
    config: Config, layout: Layout, able: Sequence[PlannedCell], failures: Sequence[Outcome]
) -> list[Outcome]:
    """Return, as failures, the finished cells whose files another cell changed or removed."""
    known = {one.job.cell for one in failures}
    lost = [c for c in able if c.cell not in known and not is_done(layout, c)]
    reason = "its files were changed or removed after it had finished, while other cells ran"
    return [Outcome(job_of(config, layout, cell), "failed", reason, 0.0) for cell in lost]


def _write_failures(
    layout: Layout,
    cells: Sequence[PlannedCell],
    chosen: Sequence[PlannedCell],
    failures: Sequence[Outcome],
) -> None:
    """Write runs/failures.json: the new failures, and earlier ones of cells not tried now."""
    path = layout.runs / "failures.json"
    tried, known = {c.cell for c in chosen}, {c.cell for c in cells}
    names = {one.job.cell for one in failures}
    done = {c.cell for c in chosen if c.cell in names and is_done(layout, c)}
    earlier = FailuresFile.read(path)
    listed = {k: v for k, v in (earlier.root if earlier else {}).items() if k in known - tried}
    for one in failures:
        listed[one.job.cell] = Failure.model_validate(
            {**one.job.facts, "status": one.status, "reason": one.reason}
        )
        if one.job.cell not in done:  # done: a retraining with --force failed, its old run is valid
            shutil.rmtree(layout.runs / one.job.cell, ignore_errors=True)
    FailuresFile(listed).write(path)


def _prune(config: Config, layout: Layout) -> None:
    """Delete runs that the profile no longer asks for, and training states no cell resumes."""
    cells = plan(config, layout, readings=True)
    wanted = {c.cell for c in cells}
    unfinished = {f"{c.cell}-{c.fingerprint}" for c in cells if not is_done(layout, c)}
    for folder in layout.runs.iterdir():
        # The checkpoint may be imported on another machine only, and its results come by DVC.
        if folder.is_dir() and folder.name not in wanted and "+checkpoint=" not in folder.name:
            shutil.rmtree(folder)
    for state in (layout.scratch / "state").glob("*"):
        if state.stem not in unfinished:
            state.unlink() if state.is_file() else shutil.rmtree(state)
