"""Train recorded cells again, and compare: identical, within tolerance, or different."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.config.paths import Layout
from bench.config.profile import load_config
from bench.data.formats.input_files import COMPUTED
from bench.errors import UserError, unknown
from bench.evaluation.cell_record import cell_record
from bench.experiments.fingerprint import code_root
from bench.experiments.method_registry import scan
from bench.experiments.record import FailuresFile, Record, own_record, read_records, record_path
from bench.pipeline.verify.clean_tree import (
    has_data,
    keep_one_split,
    link_data,
    link_files,
    other_data,
    other_splits,
    put_code,
    put_parameters,
    put_splits,
    read_parameters,
)

Word = Literal["identical", "within tolerance", "different", "not verified"]
CODE = ("core", "source")  # parts of the fingerprint
DISTANCES = ("closeness", "dispersion")
FINER = ("per_split", "per_class", "videos", "right", "best_on_test_step")
SHOWN = 5  # metrics that a verdict names


@dataclass(frozen=True)
class Verdict:
    """What came of one cell; ``details`` are lines for a reader."""

    cell: str
    word: Word
    details: list[str]
    elsewhere: bool = False  # the repeat ran on another type of machine, or with other versions

    @property
    def stands(self) -> bool:
        """Whether the record may be trusted."""
        return self.word in ("identical", "within tolerance")


def compare(record: Record, again: Record, points: float) -> Verdict:
    """Compare a record with its repeat.

    Results are compared, whatever the code's hash: a refactoring must change none of them.
    Identical: every metric, class, video and embedding, to the last bit, and every count. Within
    tolerance: accuracies to ``points``, distances to a hundredth of it; this is granted only where
    the machine or a library is another one. Else different.
    """
    machine = changed(record.environment, again.environment)
    details = [f"another machine or version: {', '.join(machine)}"] if machine else []
    unlike = list(otherwise(record, again))
    code = [name for name in unlike if name in CODE]
    if code:
        unlike = [name for name in unlike if name not in code]
        details.append(f"other code: {', '.join(code)}")
    computed = [name for name in unlike if name.startswith(COMPUTED)]
    if machine and computed:
        unlike = [name for name in unlike if name not in computed]
        details.append(f"other digits of inputs: {', '.join(computed)}")
    if unlike:
        details.append(f"not made as recorded: {', '.join(unlike)} differ")
    gaps = dict(_gaps(record, again, points))
    embedded = [k for k, v in record.embeddings.items() if again.embeddings.get(k) != v]
    finer = [name for name in FINER if getattr(record, name) != getattr(again, name)]
    if not (gaps or embedded or finer or unlike):
        bits = f"{len(record.embeddings)} sets of embeddings, to the last bit"
        return Verdict(
            record.cell,
            "identical",
            [*details, f"{len(record.metrics)} metrics, {bits}"],
            bool(machine),
        )
    largest = sorted(gaps, key=lambda name: -gaps[name][0])
    details += [gaps[name][1] for name in largest[:SHOWN]]
    if len(gaps) > SHOWN:
        details.append(f"and {len(gaps) - SHOWN} more metrics")
    if not gaps:
        what = [*finer, *(f"embeddings of {name}" for name in embedded)]
        details.append(f"the metrics agree, {', '.join(what) or 'its making'} differs")
    if machine and not unlike and all(size <= 1 for size, _ in gaps.values()):
        bounds = f"tolerance {points:g} points, {points / 100:g} of a distance"
        return Verdict(record.cell, "within tolerance", [*details, bounds], True)
    return Verdict(record.cell, "different", details, bool(machine))


def _gaps(record: Record, again: Record, points: float) -> Iterator[tuple[str, tuple[float, str]]]:
    """Yield metrics that differ: name, (size in tolerances, a line)."""
    recorded, measured = _metrics(record), _metrics(again)
    for name in dict.fromkeys([*recorded, *measured]):
        old, new = recorded.get(name), measured.get(name)
        if old is None or new is None:
            side = "measured now, not recorded" if old is None else "recorded, not measured now"
            yield name, (float("inf"), f"{name}: {side}")
        elif old != new:
            allowed = points / 100 if name.rpartition(".")[2] in DISTANCES else points
            size = abs(new - old) / allowed if allowed else float("inf")
            yield name, (size, f"{name}: {new:g}, recorded {old:g} ({new - old:+.2g})")


def _metrics(record: Record) -> dict[str, float]:
    best = record.metrics_best_on_test.items()
    return record.metrics | {f"best on test, {name}": value for name, value in best}


def otherwise(record: Record, again: Record) -> Iterator[str]:
    """Yield what was not as recorded: parts of the fingerprint, parameters, data, counts.

    ``method`` hashes only the parameters that were given; the resolved ones say it all.
    """
    for part in sorted(record.parts.keys() | again.parts.keys()):
        if part != "method" and record.parts.get(part) != again.parts.get(part):
            yield part
    for block in sorted(record.parameters.keys() | again.parameters.keys()):
        if _numbers(block, record) != _numbers(block, again):
            yield f"parameters.{block}"
    for name in (
        "data",
        "split_digests",
        "steps",
        "effective_batch",
        "training_videos",
        "checkpoint",
    ):
        if getattr(record, name) != getattr(again, name):
            yield name
    if _covered(record) != _covered(again):
        yield "coverage"


def _covered(record: Record) -> dict[str, object]:
    """Return what was embedded, without the reasons, whose wording may change."""
    seen = record.coverage.items()
    return {name: (c.digest, c.expected, c.scored, sorted(c.failed)) for name, c in seen}


def _numbers(block: str, record: Record) -> object:
    """Return a block of parameters without what decides no number."""
    values = record.parameters.get(block)
    if block != "input" or not isinstance(values, dict):
        return values
    return {k: v for k, v in values.items() if k not in ("workers", "store", "backend")}


def changed(old: Mapping[str, str], new: Mapping[str, str], whose: str = "recorded") -> list[str]:
    """Name what both environments know and have otherwise: another type of CPU, a version.

    ``whose`` says what the old one is.
    """
    both = [name for name in old if name in new]
    return [f"{name} {new[name]}, {whose} {old[name]}" for name in both if old[name] != new[name]]


MADE = ("data", "words", "splits", "inputs")  # stages, where the data are to be made again


def verify(
    root: Path, record: Record, points: float, fresh: bool, say: Callable[[str], None]
) -> Verdict:
    """Train and embed a record's cell again and compare it; what prevents that is the verdict.

    The record's code trains, the present code scores. ``fresh`` makes the data again, too; ``say``
    gets a line on what is used.
    """
    if record.status != "ok":
        return Verdict(
            record.cell, "not verified", [f"the cell is {record.status}: {record.reason}"]
        )
    try:
        _check_names(record)
        with tempfile.TemporaryDirectory(prefix="bench-verify-") as folder:
            # Deep enough that '../data' of a profile stays inside the temporary folder.
            tree = Layout(Path(folder, *"abcd", "project").resolve(), record.profile)
            tree.root.mkdir(parents=True)
            return compare(
                record, _again(Layout(root, record.profile), tree, record, fresh, say), points
            )
    except UserError as error:
        return Verdict(record.cell, "not verified", [str(error)])


def _check_names(record: Record) -> None:
    """Refuse names that would lead out of the tree: a record may come from elsewhere."""
    names = (record.profile, record.cell, record.method, *record.data, *record.split_digests)
    for name in names:
        if "/" in name or name.startswith((".", "-")):
            raise UserError(f"'{name}' in the record is no name")


def _again(
    layout: Layout, tree: Layout, record: Record, fresh: bool, say: Callable[[str], None]
) -> Record:
    say(put_code(layout.root, record, tree.root))
    raw = read_parameters(tree.root)
    link_files(layout.root, tree.root, raw.get("profiles", {}).get(record.profile))
    if has_data(layout, record) and not fresh:
        if reason := other_data(layout, record):
            raise UserError(reason)
        link_data(layout, tree)
        put_splits(layout, record, tree)
        say("data found here, digests as recorded")
    else:
        put_parameters(tree.root, record, raw, narrow=False)
        for stage in MADE:
            _bench(tree.root, "stage", stage, "--profile", record.profile)
        if reason := other_data(tree, record) or other_splits(tree.splits, record):
            raise UserError(f"made again, but {reason}")
        say("data made again, digests as recorded")
    put_parameters(tree.root, record, raw, narrow=True)
    keep_one_split(tree, record)
    _bench(tree.root, "train", "--profile", record.profile, "--jobs", "1", "--", record.row)
    folder = tree.runs / record.cell
    if not (folder / "run.json").is_file():
        listed = FailuresFile.read(tree.runs / "failures.json")
        failed = listed.root.get(record.cell) if listed else None
        raise UserError(f"it fails now: {failed.reason}" if failed else "it was not trained")
    return cell_record(load_config(tree.root, record.profile), tree, folder)


def _bench(tree: Path, *words: str) -> None:
    """Run the tree's own ``bench``; its last line is the error."""
    command = [sys.executable, "-c", "from bench.cli.main import main; main()", *words]
    places = dict.fromkeys([str(tree), str(code_root(tree))])  # its own bench/, else this one
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(places)}
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    if done.returncode and "cells did not train" not in done.stderr:  # why is in failures.json
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise UserError(f"bench {' '.join(words)}: {lines[-1].removeprefix('error: ')}")


def records_to_verify(
    root: Path, folder: Path, profile: str, method: str | None, cell: str
) -> list[Record]:
    """Return the record of ``cell``, or else the cheapest one of each method or of ``method``."""
    if cell:
        if method:
            raise UserError(f"give a method or --cell, not both ('{method}', '{cell}')")
        return [own_record(record_path(folder, cell, profile))]
    records = read_records(folder)
    if not records:
        raise UserError(f"{folder}: no records")
    if method and all(method != record.row for record in records):
        if method.partition("+")[0] in scan(root):
            raise UserError(f"'{method}' has no record in profile {profile}; run 'dvc repro'")
        raise unknown(f"method or row of profile {profile}", method, {r.row for r in records})
    wanted = [r for r in records if (r.row == method if method else not r.reading)]
    cheapest: dict[str, Record] = {}
    for record in sorted(wanted, key=lambda record: (record.status != "ok", record.cpu_s)):
        cheapest.setdefault(record.row, record)
    return [cheapest[row] for row in sorted(cheapest)]
