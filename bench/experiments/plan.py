"""The cells that a profile asks for: rows × seeds × training splits, each with its fingerprint.

Needs neither torch nor data, so that a table can tell which records are outdated. Parts of the
fingerprint that need data (the manifests, the word vectors) are left out until they exist.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.config.paths import Layout
from bench.config.profile import ONE_SPLIT, Config, row_id
from bench.data.formats.checkpoint_file import CheckpointFile
from bench.data.formats.index_file import IndexFile
from bench.data.formats.input_files import COMPUTED, InputsStatusFile
from bench.data.formats.overlap_file import OverlapFile
from bench.data.formats.split_file import SplitFile
from bench.data.formats.words_file import WordsFile
from bench.data.splits.overlap import fits_tau
from bench.data.splits.protocols import fits_draws
from bench.errors import UserError, unknown
from bench.experiments.fingerprint import code_digest, core_digest
from bench.experiments.method_registry import MethodFile, scan
from bench.experiments.record import cell_name
from bench.utils.io import digest, file_digest

TRANSFER = "transfer"
UNFIT = "not that of params.yaml"
"""The part "split" of a cell whose split file was made with another τ or other draws."""


@dataclass(frozen=True)
class PlannedCell:
    """A cell to train: method, reading, training split, seed, and what decides its outcome."""

    row: str
    method: str
    reading: dict[str, Any]
    label: str
    split: str
    seed: int
    parts: dict[str, str]
    problem: str = ""  # "file:line reason" of a method file that cannot be parsed
    missing: str = ""  # an input that it needs and the profile does not have, with the remedy
    inputs: dict[str, str] = field(default_factory=dict)  # input -> what made it
    checkpoint: str = ""  # name of the imported checkpoint that is evaluated instead of trained

    @property
    def cell(self) -> str:
        """The cell's name."""
        return cell_name(self.row, self.split, self.seed)

    @property
    def fingerprint(self) -> str:
        """Hash of everything that decides the outcome."""
        parts = {k: v for k, v in self.parts.items() if not k.startswith(COMPUTED)}
        return digest({**parts, "seed": str(self.seed), "split name": self.split})


@dataclass(frozen=True)
class Given:
    """What a method is given on some data sets, besides their videos.

    ``parts`` go into the fingerprint, ``sources`` maps input -> what made it; ``missing`` names the
    first needed input that does not exist, with the remedy, or is "".
    """

    parts: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    missing: str = ""


class Inputs:
    """The inputs of a profile, from the status file that the stage inputs writes."""

    def __init__(self, config: Config, layout: Layout) -> None:
        self._profile = config.name
        self._kinds = {name: one.kind for name, one in config.profile.datasets.items()}
        found = InputsStatusFile.read(layout.inputs_status)
        self.status = None if found is None else found.root

    def of(self, file: MethodFile, values: Mapping[str, Any], datasets: Sequence[str]) -> Given:
        """Return what a method is given; an empty ``Given`` before the stage inputs has run."""
        if self.status is None:
            return Given()
        needs, wants = file.uses(values)
        parts: dict[str, str] = {}
        sources: dict[str, str] = {}
        missing = ""
        for name in (*needs, *wants):
            if name in ("video", "clips"):  # read from the data set: the index's digest covers them
                bare = [d for d in datasets if self._kinds.get(d) == "features"]
                if name == "clips" and bare:
                    missing = missing or f"needs clips, but data set {bare[0]} has features only"
            elif not (reason := self._lacks(name, datasets)):
                parts |= self.status[name].parts(name, datasets)
                sources[name] = self.status[name].source
            elif name in needs:
                missing = missing or f"needs {name}: {reason}"
            else:
                parts[f"input {name}"] = ""
        return Given(parts, sources, missing)

    def _lacks(self, name: str, datasets: Sequence[str]) -> str:
        """Return why a data set does not have an input, and the remedy; "" if all have it."""
        facts = (self.status or {}).get(name)
        if facts is None:
            return f"describe it as profiles.{self._profile}.inputs.{name} in params.yaml"
        for dataset in datasets:
            if dataset not in facts.digests:
                reason = facts.lacking.get(dataset, f"not made for {dataset}")
                return f"{reason}; then run 'bench stage inputs'"
        return ""


def plan(config: Config, layout: Layout, readings: bool = False) -> list[PlannedCell]:
    """List the cells of a profile, with ``readings`` also those of the alternative readings."""
    files = scan(layout.root)
    named: dict[str, Collection[str]] = {
        "methods": config.methods,
        f"profiles.{config.name}.own": config.profile.own,
    }
    for where, names in named.items():
        for name in names:
            if name not in files:
                raise unknown(f"method in params.yaml '{where}'", name, files)
    rows = [(file, dict[str, Any]()) for file in files.values()]
    if readings:
        rows += _readings(config, files)
    known = _known_parts(config, layout)
    inputs = Inputs(config, layout)
    cells = _imported(config, layout, files)
    for file, reading in rows:
        values = {**config.methods.get(file.name, {}), **reading}
        own = code_parts(file, layout.root) | {"method": digest(values)}
        own["settings"] = _settings(config, file.name, trained=True)
        seeds = config.profile.train_of(file.name).seeds
        for split, split_parts in known.items():
            tests = config.profile.transfer_sets() if split == TRANSFER else [split.split(".")[0]]
            trained = [] if file.learning == "none" else [config.profile.train_on, *tests]
            given = inputs.of(file, values, [n for n in [*trained, *tests] if n])
            for seed in seeds if file.learning == "steps" else seeds[:1]:
                cells.append(
                    PlannedCell(
                        row=row_id(file.name, reading),
                        method=file.name,
                        reading=reading,
                        label=file.label,
                        split=split,
                        seed=seed,
                        parts=own | split_parts | given.parts,
                        problem=file.problem,
                        missing="" if file.problem else given.missing,
                        inputs=given.sources,
                    )
                )
    return cells


def scope(split: str) -> str:
    """Return a training split without its draw: "transfer", or "<data set>.<protocol>"."""
    return ".".join(split.split(".")[:2])


def _readings(
    config: Config, files: dict[str, MethodFile]
) -> list[tuple[MethodFile, dict[str, Any]]]:
    """List the alternative readings; UserError for a value that cannot be part of a file name."""
    rows = []
    for one in config.readings.rows:
        if one.method not in files:
            raise unknown("method in params.yaml 'readings'", one.method, files)
        for parameter, value in one.set.items():
            if not re.fullmatch(r"[\w.=+-]*", row_id("", {parameter: value})):
                raise UserError(
                    f"params.yaml: readings.rows: {one.method} has {parameter}: {value!r}, which "
                    "names files; use only letters, digits and _ . = + -"
                )
        rows.append((files[one.method], dict(one.set)))
    return rows


def _imported(config: Config, layout: Layout, files: dict[str, MethodFile]) -> list[PlannedCell]:
    """List the imported checkpoints of a profile: evaluated on its test sets, never trained."""
    tests = config.profile.transfer_sets()
    cells = []
    for path in sorted(layout.checkpoints.glob("*.json")) if tests else ():
        facts = CheckpointFile.require(path)
        file = files.get(facts.method)
        if file is None:
            continue
        reading = {"checkpoint": path.stem}
        on_test = ", chosen on test data" if facts.chosen == "best_on_test" else ""
        cells.append(
            PlannedCell(
                row=row_id(file.name, reading),
                method=file.name,
                reading=reading,
                label=f"{file.label}, checkpoint {path.stem}{on_test}",
                split=TRANSFER,
                seed=0,
                parts=code_parts(file, layout.root)
                | {
                    "method": digest(config.methods.get(file.name, {})),
                    "settings": _settings(config, file.name),
                    "checkpoint": facts.digest,
                }
                | _data_parts(layout, tests),
                problem=file.problem,
                checkpoint=path.stem,
            )
        )
    return cells


def _settings(config: Config, method: str, trained: bool = False) -> str:
    profile = config.profile
    blocks = {
        "input": profile.input_of(method).numbers(),
        "network": profile.network.model_dump(mode="json"),
    }
    return digest(blocks | ({"train": profile.train_of(method).numbers()} if trained else {}))


def _known_parts(config: Config, layout: Layout) -> dict[str, dict[str, str]]:
    """Return training split -> the parts of the fingerprint that are known now."""
    profile = config.profile
    splits: dict[str, dict[str, str]] = {}
    if profile.train_on:
        parts = _data_parts(layout, [profile.train_on, *profile.transfer_sets()])
        overlap = OverlapFile.read(layout.splits / "overlap.json")
        if overlap:
            parts["split"] = overlap.digest if fits_tau(overlap, profile.tau) else UNFIT
        # Of these sets not all classes are tested, and only the tested ones are embedded.
        narrow = {
            name: sorted(set(profile.datasets[name].protocols) & {"half10", "k220"})
            for name in profile.transfer_sets()
            if not set(profile.datasets[name].protocols) & {"full", "official3"}
        }
        if narrow:
            parts["tests"] = digest(narrow)
        splits[TRANSFER] = parts
    for name, protocol in profile.per_split():
        found = split_file(layout, name, protocol).splits
        fit = protocol in ONE_SPLIT or fits_draws(name, found, profile.fifty_fifty)
        for one in found:
            splits[f"{name}.{protocol}.{one['name']}"] = {
                "split": digest(one) if fit else UNFIT,
                **_data_parts(layout, [name]),
            }
    return splits


def split_file(layout: Layout, name: str, protocol: str) -> SplitFile:
    """Read the split file of a data set; UserError if it is missing or damaged."""
    return SplitFile.require(layout.splits / f"{name}.{protocol}.json")


def _data_parts(layout: Layout, datasets: list[str]) -> dict[str, str]:
    infos = {name: IndexFile.read(layout.index / f"{name}.json") for name in datasets}
    words = WordsFile.read(layout.words / "words.json")
    parts = {}
    if all(infos.values()):
        parts["data"] = digest({name: info.digest for name, info in infos.items() if info})
    if words:
        parts["words"] = digest({name: words.digests.get(name) for name in datasets})
    return parts


def parts_on_disk(
    layout: Layout,
    file: MethodFile,
    split: str,
    datasets: Sequence[str],
    inputs: Mapping[str, Sequence[str]],
    checkpoint: Path | None = None,
) -> dict[str, str]:
    """Return the parts of a cell's fingerprint that files decide, as the files are now.

    ``datasets`` are those that it is trained and tested on, ``inputs`` maps input -> data sets. A
    worker compares the parts with those of the plan. Missing files are left out.
    """
    parts = code_parts(file, layout.root) | _data_parts(layout, list(datasets))
    if checkpoint:
        parts["checkpoint"] = file_digest(checkpoint) if checkpoint.is_file() else ""
    elif split == TRANSFER:
        overlap = OverlapFile.read(layout.splits / "overlap.json")
        parts["split"] = overlap.digest if overlap else ""
    else:
        name, protocol, draw = split.split(".", 2)
        listed = split_file(layout, name, protocol).splits
        parts["split"] = next((digest(one) for one in listed if one["name"] == draw), "")
    found = InputsStatusFile.read(layout.inputs_status)
    status = found.root if found else {}
    for name, read in inputs.items():
        known = name in status and all(one in status[name].digests for one in read)
        parts |= status[name].parts(name, read) if known else {f"input {name}": ""}
    return parts


def code_parts(file: MethodFile, root: Path) -> dict[str, str]:
    """Return the parts of a fingerprint that a method's code decides."""
    source = digest(file.problem) if file.problem else code_digest(file.path, root)
    return {"core": core_digest(root), "source": source}
