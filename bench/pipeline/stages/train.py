"""Stage train: every cell whose fingerprint is missing; failures are listed and not cached."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.config.paths import Layout
from bench.config.profile import TRANSFER as ONCE
from bench.config.profile import Config
from bench.errors import UserError, unknown
from bench.experiments.cell_cache import bring_back, forget, keep, settle
from bench.experiments.method_registry import load, scan
from bench.experiments.plan import TRANSFER, UNFIT, VERDICTS, PlannedCell, plan, split_file
from bench.experiments.run_folder import read_run
from bench.training.cluster import open_executor, run_on_cluster
from bench.training.job import Job
from bench.training.progress import Watch
from bench.training.worker_pool import Outcome, run_jobs, visible_gpus
from bench.utils.io import locked, read_json, sweep, write_json

if TYPE_CHECKING:
    from bench.training.distributed import World


@dataclass(frozen=True)
class Launch:
    """Where cells run: ``jobs`` side by side here (0: one a core, or a GPU), or by a ``launcher``.

    That makes each cell a job of a cluster (``training.cluster``, with its ``options``).
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
) -> list[Outcome]:
    """Train the missing cells; return failures.

    Under ``torchrun`` all its processes train each cell together (``training.together``).
    ``only`` (default: that of params.yaml) limits the work to methods or rows, ``force`` trains
    finished cells again. A cell that an earlier run with these parameters left is brought back.
    """
    world = _world(launch.launcher)
    if world and not world.first:
        from bench.training.distributed_jobs import follow

        follow(world)
        return []
    executor = _executor(config, layout, launch)
    only = only or config.only
    cells = plan(config, layout, readings or config.readings.run)
    if not cells:
        raise UserError(
            f"profile {config.name} trains on nothing (no train_on): give it a checkpoint to "
            "evaluate with 'bench checkpoint import'"
        )
    for name in only:
        if all(name not in (c.method, c.row) for c in cells):
            raise unknown("method", name, {c.method for c in cells})
    chosen = [c for c in cells if not only or c.method in only or c.row in only]
    with locked(layout.scratch / "train.lock"):
        able = [c for c in chosen if not c.missing]
        settle(layout, _files(config))
        missing = [c for c in able if force or not is_done(layout, c)]
        back = [c for c in missing if not force and bring_back(layout, c.cell, c.fingerprint)]
        missing = [c for c in missing if c not in back]
        layout.runs.mkdir(parents=True, exist_ok=True)
        sweep(layout.runs)
        sweep(layout.scratch / "state")
        again = f" ({len(back)} brought back)" if back else ""
        done = f"{len(able) - len(missing)} of {len(able)} cells done{again}"
        print(f"{done}, {len(missing)} to train")
        for row, reason in {c.row: c.missing for c in chosen if c.missing}.items():
            print(f"{row}: missing, {reason}")
        ended = _train(config, layout, missing, launch, executor, world)
        failures = [one for one in ended if one.status != "ok"]
        untried = {c.cell for c in missing} - {one.job.cell for one in ended}
        if untried:  # under torchrun
            print(f"a failure ended the run; not tried: {len(untried)} (run again without it)")
        tried = [c for c in able if c.cell not in untried]
        failures += _harmed(config, layout, tried, failures) if missing else []
        new = [c for c in missing if is_done(layout, c)]
        finished = [c for c in able if c not in missing] + new
        keep(layout, [(c.cell, c.fingerprint) for c in finished], {c.cell for c in new})
        forget(layout, {(c.method, c.parts["core"], c.parts["source"]) for c in cells})
        if not only:
            _prune(config, layout)
        _write_failures(layout, cells, chosen, failures)
    return failures


def _files(config: Config) -> list[Path]:
    """Return the files and folders of data that the profile names."""
    sets = config.profile.datasets.values()
    named = [path for d in sets for path in (d.root, d.manifest, d.file, d.lists)]
    return [path for path in named if path]


def is_done(layout: Layout, cell: PlannedCell) -> bool:
    """Tell whether a finished, undamaged result with the cell's fingerprint is there."""
    try:
        facts = read_run(layout.runs / cell.cell, "fingerprint")
    except UserError as error:
        print(error, file=sys.stderr, flush=True)
        return False
    return bool(facts) and facts["fingerprint"] == cell.fingerprint


def _world(launcher: str) -> "World | None":
    """Join the other processes of a ``torchrun``; None where this one is alone."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return None
    if launcher:
        raise UserError("--launcher starts jobs by itself; leave torchrun out")
    from bench.training.distributed import joined

    return joined()


def _executor(config: Config, layout: Layout, launch: Launch) -> Any:
    """Return what submits cells to a cluster; None where they run here."""
    if not launch.launcher:
        return None
    workers = [config.profile.input_of(name).workers for name in scan(layout.root)]
    return open_executor(layout.scratch / "jobs", launch.launcher, launch.options, workers)


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
    count, gpus = side_by_side(config, launch.jobs)
    _check_values(config, layout, missing)
    if config.profile.input.store and any(_reads_clips(config, layout, c) for c in missing):
        _prepare_frames(config, layout)
    work = [job_of(config, layout, cell) for cell in missing]
    ended = []
    with Watch(work, 1 if world else count) as watch:
        if world:
            from bench.training.distributed_jobs import lead

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


def side_by_side(config: Config, jobs: int = 0) -> tuple[int, int]:
    """Return how many cells train at a time (``jobs``; 0: one a GPU or core), and the GPUs."""
    gpus = 0 if config.profile.train.device == "cpu" else _gpu_count()
    return jobs or int(os.environ.get("BENCH_JOBS") or 0) or gpus or _cores(), gpus


def _harmed(
    config: Config, layout: Layout, able: Sequence[PlannedCell], failures: Sequence[Outcome]
) -> list[Outcome]:
    """Return the cells whose files another one changed or removed after they were finished."""
    known = {one.job.cell for one in failures}
    lost = [c for c in able if c.cell not in known and not is_done(layout, c)]
    reason = "its files were changed or removed after it had finished, while other cells ran"
    return [Outcome(job_of(config, layout, cell), "failed", reason, 0.0) for cell in lost]


def _check_values(config: Config, layout: Layout, missing: Sequence[PlannedCell]) -> None:
    """Refuse a wrong parameter of a method before anything trains."""
    files = scan(layout.root)
    seen: list[tuple[str, dict[str, Any]]] = []
    for cell in missing:
        values = _values(config, cell)
        if values and not cell.problem and (cell.method, values) not in seen:
            from bench.method import create

            seen.append((cell.method, values))
            try:
                kind = load(files[cell.method])
            except UserError:
                continue  # a broken file is a row of its own
            create(kind, values)


def _reads_clips(config: Config, layout: Layout, cell: PlannedCell) -> bool:
    file = scan(layout.root)[cell.method]
    needs, _ = file.uses(_values(config, cell))
    return not cell.problem and bool({"video", "clips"} & set(needs))


def _prepare_frames(config: Config, layout: Layout) -> None:
    """Decode once, with every core, what the cells will share."""
    from bench.data.index import read_index
    from bench.training.sources import open_video

    for name, described in config.profile.datasets.items():
        if described.kind == "videos" and name != config.profile.pretrain_on:
            index = read_index(layout.index, name)
            jobs = _cores() if len(index.paths) > 5000 else 1  # a process costs 2 s to start
            open_video(index, config.profile.input, layout.scratch / "frames", jobs)


def job_of(config: Config, layout: Layout, cell: PlannedCell) -> Job:
    """Return what a process needs to train a cell; UserError where a stage has not run yet."""
    profile = config.profile
    held_out: tuple[str, ...] = ()
    weights = layout.checkpoints / f"{cell.checkpoint}.safetensors" if cell.checkpoint else None
    imported: dict[str, Any] = {}
    if cell.parts.get("split") == UNFIT:
        raise UserError(
            f"{layout.splits}: tau or fifty_fifty in params.yaml has changed since these split "
            "files were made; run 'bench stage splits'"
        )
    if cell.split == TRANSFER:
        if weights:
            imported = read_json(weights.with_suffix(".json"), "chosen", classes=int)
            train_on, seen = "", tuple(f"class {i}" for i in range(imported["classes"]))
        else:
            train_on = profile.train_on or ""
            overlap = read_json(layout.splits / "overlap.json", classes=VERDICTS)
            if overlap is None:
                where = layout.splits / "overlap.json"
                raise UserError(f"{where} is missing; run 'bench stage splits'")
            seen = tuple(one["class"] for one in overlap["classes"] if one["kept"])
        tests = {}
        for name in profile.transfer_sets():
            asked = [p for p in profile.datasets[name].protocols if p in ONCE]
            splits = [one for p in asked for one in split_file(layout, name, p)["splits"]]
            tests[name] = tuple(sorted({c for one in splits for c in one["unseen"]}))
    else:
        train_on, protocol, draw = cell.split.split(".", 2)
        splits = split_file(layout, train_on, protocol)["splits"]
        one = next(s for s in splits if s["name"] == draw)
        seen, held_out = tuple(one["seen"]), tuple(one.get("held_out", ()))
        tests = {train_on: tuple(sorted([*one["unseen"], *(seen if held_out else ())]))}
    trained = [train_on] if train_on else []
    facts: dict[str, Any] = {
        "profile": config.name,
        "row": cell.row,
        "method": cell.method,
        "reading": cell.reading,
        "label": cell.label,
        "split": cell.split,
        "seed": cell.seed,
        "checkpoint": imported.get("chosen", "last"),
        "parts": cell.parts,
        "machine": machine(any(profile.datasets[n].kind == "videos" for n in [*tests, *trained])),
        **_git(layout.root),
    }
    return Job(
        cell=cell.cell,
        layout=layout,
        method=scan(layout.root)[cell.method],
        values=_values(config, cell),
        seed=cell.seed,
        fingerprint=cell.fingerprint,
        train_on=train_on,
        seen=seen,
        tests=tests,
        input=profile.input_of(cell.method),
        network=profile.network,
        train=profile.train_of(cell.method),
        facts=facts,
        inputs=cell.inputs,
        held_out=held_out,
        checkpoint=weights,
    )


def _values(config: Config, cell: PlannedCell) -> dict[str, Any]:
    """Return the method's parameters that differ from its defaults."""
    return {**config.methods.get(cell.method, {}), **({} if cell.checkpoint else cell.reading)}


def _write_failures(
    layout: Layout,
    cells: Sequence[PlannedCell],
    chosen: Sequence[PlannedCell],
    failures: Sequence[Outcome],
) -> None:
    """Keep runs/failures.json: what failed now, and earlier failures that were not tried now."""
    path = layout.runs / "failures.json"
    tried, known = {c.cell for c in chosen}, {c.cell for c in cells}
    names = {one.job.cell for one in failures}
    done = {c.cell for c in chosen if c.cell in names and is_done(layout, c)}
    known_now = read_json(path, whole={str: dict}) or {}
    old = {k: v for k, v in known_now.items() if k in known - tried}
    for one in failures:
        facts = {k: v for k, v in one.job.facts.items() if k != "profile"}
        old[one.job.cell] = {**facts, "status": one.status, "reason": one.reason}
        if one.job.cell not in done:  # --force failed on it: what it had holds
            shutil.rmtree(layout.runs / one.job.cell, ignore_errors=True)
    write_json(path, old)


def _prune(config: Config, layout: Layout) -> None:
    """Drop results of cells that the profile no longer asks for, and states without a future."""
    cells = plan(config, layout, readings=True)
    wanted = {c.cell for c in cells}
    unfinished = {f"{c.cell}-{c.fingerprint}" for c in cells if not is_done(layout, c)}
    for folder in layout.runs.iterdir():
        # An imported checkpoint may lie on another machine alone, whose results came by DVC.
        if folder.is_dir() and folder.name not in wanted and "+checkpoint=" not in folder.name:
            shutil.rmtree(folder)
    for state in (layout.scratch / "state").glob("*"):
        if state.stem not in unfinished:
            state.unlink() if state.is_file() else shutil.rmtree(state)


def _git(root: Path) -> dict[str, Any]:
    def ask(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else ""

    dirty = bool(ask("status", "--porcelain", "--", "bench", "methods", "params.yaml"))
    return {"git_commit": ask("rev-parse", "HEAD"), "git_dirty": dirty}


@cache
def machine(videos: bool) -> dict[str, str]:
    """Return what a cell's own process does not say: type of CPU, and versions of the decoders."""
    facts = Path("/proc/cpuinfo").read_text(errors="replace") if sys.platform == "linux" else ""
    found = {"cpu": processor(facts) or platform.processor()}
    if videos:
        import av

        found["ffmpeg"] = str(av.ffmpeg_version_info)
        with suppress(PackageNotFoundError):
            found["decord"] = version("decord")
    return found


def processor(facts: str) -> str:
    """Return the type of CPU that /proc/cpuinfo names, "" if none.

    Clouds call several generations by one name ("AMD EPYC"), which sum in other orders: family and
    model tell them apart.
    """
    said = {}
    for line in reversed(facts.partition("\n\n")[0].splitlines()):  # of the first core
        name, _, value = line.partition(":")
        said[name.strip()] = value.strip()
    numbers = [f"{one} {said[key]}" for one, key in _GENERATION if said.get(key)]
    name = said.get("model name", "")
    return f"{name} ({', '.join(numbers)})" if name and numbers else name


_GENERATION = (("family", "cpu family"), ("model", "model"))


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _gpu_count() -> int:
    devices, allowed = len(list(Path("/dev").glob("nvidia[0-9]*"))), visible_gpus()
    return devices if allowed is None or not devices else len(allowed)
