"""A small made-up set of records, planned cells and split files for the tests of the tables."""

import csv
import io
import json
import random
from pathlib import Path
from typing import Any

from project import overlap_json, split_json

from bench.experiments.plan import PlannedCell
from bench.experiments.record import Coverage, Record
from bench.reports.tables import TableContext, build, render

POSTER = ("base_mse", "base_ls", "base_ls_e2e", "aurl", "aurl_no_cg")
TESTS = {"mini_ucf": ("full", "half10"), "mini_hmdb": ("full", "half10")}


def planned_cell(row: str, seed: int = 0, **other: Any) -> PlannedCell:
    """Make a planned transfer cell whose parts are those of the records."""
    method = row.partition("+")[0]
    values = {"method": method, "reading": {}, "label": method, "split": "transfer"}
    values |= {"seed": seed, "parts": {"source": "a", "core": "b"}}
    return PlannedCell(row, **(values | other))


def record(row: str, seed: int = 0, level: float = 80.0, **other: Any) -> Record:
    """Make a record of a transfer cell whose classes vary around ``level`` percent."""
    rng = random.Random(f"{row}{seed}")
    metrics: dict[str, float] = {"seen.full.closeness": 0.1, "seen.full.dispersion": 0.5}
    per_class = {}
    for name, count in (("mini_ucf", 20), ("mini_hmdb", 10)):
        spread = [min(20, max(0, round(level / 5 + rng.gauss(0, 2)))) for _ in range(count)]
        per_class[f"{name}.full"] = {f"c{i}": (20, right) for i, right in enumerate(spread)}
        metrics[f"{name}.full.top1"] = 100 * sum(spread) / (20 * count)
        metrics[f"{name}.half10.top1"] = metrics[f"{name}.full.top1"] + 5
        metrics |= {f"{name}.full.closeness": 0.2, f"{name}.full.dispersion": 0.4 + seed / 100}
    values: dict[str, Any] = {
        "profile": "mini",
        "row": row,
        "method": row.partition("+")[0],
        "label": row,
        "split": "transfer",
        "seed": seed,
        "status": "ok",
        "parts": {"source": "a", "core": "b"},
        "coverage": {"mini_ucf": Coverage(digest="d", expected=400, scored=400)},
        "metrics": metrics,
        "per_class": per_class,
    }
    return Record(**(values | other))


def context(
    tmp_path: Path, records: list[Record], planned: list[PlannedCell], **other: Any
) -> TableContext:
    """Make a context of the mini profile with split files that fit the records."""
    values: dict[str, Any] = {
        "profile": "mini",
        "header": "Profile mini: made-up records.",
        "is_embedded_world": True,
        "train": "mini_kinetics",
        "tests": TESTS,
        "records": records,
        "planned": planned,
        "splits": tmp_path,
    }
    return TableContext(**(values | other))


def write_splits(folder: Path) -> None:
    """Write the split files of the mini profile and its overlap file."""
    for dataset, protocols in TESTS.items():
        for protocol in protocols:
            split = {"name": "0", "seen": ["a", "b"], "unseen": ["c"]}
            stored = {"dataset": dataset, "protocol": protocol, "definition": "every class"}
            stored |= {"digest": "0123456789abcdef", "splits": [split]}
            (folder / f"{dataset}.{protocol}.json").write_text(split_json(stored))
    classes = [
        {"class": f"k{i}", "kept": i > 1, "nearest": f"c{i}", "dataset": "mini_ucf"}
        | {"distance": i / 30}
        for i in range(15)
    ]
    stored = {"train": "mini_kinetics", "test": list(TESTS), "tau": 0.05, "digest": "f00"}
    (folder / "overlap.json").write_text(overlap_json(stored | {"classes": classes}))


def full(seeds: int = 3) -> tuple[list[Record], list[PlannedCell]]:
    """Return the five rows of the poster with every seed done."""
    levels = dict(zip(POSTER, (45, 65, 80, 82, 70), strict=True))
    records = [record(row, seed, levels[row]) for row in POSTER for seed in range(seeds)]
    return records, [planned_cell(row, seed) for row in POSTER for seed in range(seeds)]


def rows(which: str, given: TableContext) -> dict[str, dict[str, Any]]:
    """Return row -> its JSON form in a table."""
    return {row["row"]: row for row in json.loads(render(build(which, given), "json"))}


def cells(given: TableContext, which: str = "ablation") -> dict[str, dict[str, str]]:
    """Return label -> column -> text of a table's CSV form."""
    read = csv.DictReader(io.StringIO(render(build(which, given), "csv")))
    return {row["method"]: row for row in read}
