"""One cell again, from its record alone, in a temporary tree of its own."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.config.paths import Layout
from bench.config.profile import load_config
from bench.errors import UserError, unknown
from bench.evaluation.cell_record import cell_record
from bench.experiments.fingerprint import code_root
from bench.experiments.method_registry import scan
from bench.experiments.record import FailuresFile, Record, own_record, read_records, record_path
from bench.pipeline.verify.clean_tree import (
    has_data,
    keep_one_split,
    link_data,
    other_data,
    other_splits,
    put_code,
    put_splits,
)
from bench.pipeline.verify.compare import Verdict, compare
from bench.pipeline.verify.parameters import link_files, put_parameters, read_parameters

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
