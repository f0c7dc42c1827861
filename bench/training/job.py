"""A cell as a worker process receives it, and the job of a planned cell."""

from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bench.config.paths import Layout
from bench.config.profile import TRANSFER as TRANSFER_PROTOCOLS
from bench.config.profile import Config
from bench.config.schema import Input, Network, Train
from bench.data.formats.checkpoint_file import CheckpointFile
from bench.data.formats.overlap_file import OverlapFile
from bench.errors import UserError
from bench.experiments.method_registry import MethodFile, scan
from bench.experiments.plan import TRANSFER, UNFIT, PlannedCell, split_file
from bench.utils.machine import git_state, this_processor


@dataclass(frozen=True)
class Job:
    """Train ``method`` on the ``seen`` classes of ``train_on``, embed the ``tests``.

    With a ``checkpoint`` nothing is trained: ``train_on`` is "" and ``seen`` only counts.
    """

    cell: str
    layout: Layout
    method: MethodFile
    values: dict[str, Any]  # the method's parameters that differ from its defaults
    seed: int
    fingerprint: str
    train_on: str
    seen: tuple[str, ...]
    tests: dict[str, tuple[str, ...]]  # data set -> classes
    input: Input
    network: Network
    train: Train
    facts: dict[str, Any]  # copied into run.json
    inputs: dict[str, str]  # what the method is given beside videos -> what it is made by
    held_out: tuple[str, ...] = ()  # videos of seen classes that are tested, never trained on
    checkpoint: Path | None = None  # weights of an imported checkpoint, its facts beside it

    @property
    def datasets(self) -> list[str]:
        """The data sets that it is trained and tested on."""
        return list(dict.fromkeys(name for name in (self.train_on, *self.tests) if name))


def method_values(config: Config, cell: PlannedCell) -> dict[str, Any]:
    """Return the parameters of a cell's method that differ from its defaults."""
    return {**config.methods.get(cell.method, {}), **({} if cell.checkpoint else cell.reading)}


def job_of(config: Config, layout: Layout, cell: PlannedCell) -> Job:
    """Return the job of a cell. Raises UserError if the output of a stage is missing or stale."""
    profile = config.profile
    if cell.parts.get("split") == UNFIT:
        raise UserError(
            f"{layout.splits}: tau or fifty_fifty in params.yaml has changed since these split "
            "files were made; run 'bench stage splits'"
        )
    held_out: tuple[str, ...] = ()
    weights = layout.checkpoints / f"{cell.checkpoint}.safetensors" if cell.checkpoint else None
    chosen = "last"
    if cell.split == TRANSFER:
        if weights:
            imported = CheckpointFile.require(weights.with_suffix(".json"))
            chosen, train_on = imported.chosen, ""
            seen = tuple(f"class {i}" for i in range(imported.classes))
        else:
            train_on = profile.train_on or ""
            seen = tuple(OverlapFile.require(layout.splits / "overlap.json").kept)
        tests = {}
        for name in profile.transfer_sets():
            asked = [p for p in profile.datasets[name].protocols if p in TRANSFER_PROTOCOLS]
            splits = [one for p in asked for one in split_file(layout, name, p).splits]
            tests[name] = tuple(sorted({c for one in splits for c in one["unseen"]}))
    else:
        train_on, protocol, draw = cell.split.split(".", 2)
        splits = split_file(layout, train_on, protocol).splits
        one = next(s for s in splits if s["name"] == draw)
        seen, held_out = tuple(one["seen"]), tuple(one.get("held_out", ()))
        tests = {train_on: tuple(sorted([*one["unseen"], *(seen if held_out else ())]))}
    used = [*tests, *([train_on] if train_on else ())]
    facts: dict[str, Any] = {
        "profile": config.name,
        "row": cell.row,
        "method": cell.method,
        "reading": cell.reading,
        "label": cell.label,
        "split": cell.split,
        "seed": cell.seed,
        "checkpoint": chosen,
        "parts": cell.parts,
        "machine": _machine(any(profile.datasets[name].kind == "videos" for name in used)),
        **git_state(layout.root),
    }
    return Job(
        cell=cell.cell,
        layout=layout,
        method=scan(layout.root)[cell.method],
        values=method_values(config, cell),
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


@cache
def _machine(videos: bool) -> dict[str, str]:
    """Return what a cell's own process does not record: type of CPU, versions of the decoders."""
    found = {"cpu": this_processor()}
    if videos:
        import av

        found["ffmpeg"] = str(av.ffmpeg_version_info)
        with suppress(PackageNotFoundError):
            found["decord"] = version("decord")
    return found
