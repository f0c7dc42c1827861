"""A made-up report: the poster's rows, one with the worst of names, small drawings and clips."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from reports.tables.made_up import context, full, planned_cell, record, write_splits

from bench.experiments.record import Record
from bench.reports.report_model import Coverage, Figure, Report, Video
from bench.reports.tables import TABLES, build
from bench.reports.tables.typed_table import Number

HOSTILE = "<script>alert('x')</script>\" onload=\"alert(1) \u202eevil\u202c עברית " + "long" * 40
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="460pt" height="200pt" viewBox="0 0 460 200">'
    '<g fill="none" stroke="currentColor"><path d="M20 180H440M20 180V20"/></g>'
    '<g><title>aurl: 82.5 ± 1.6, n = 3</title><circle cx="200" cy="80" r="6" fill="#0072b2"/></g>'
    '<text x="210" y="80" font-size="12" fill="currentColor">AURL</text></svg>'
)
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)


def facts(one: Record) -> dict[str, Any]:
    """Return what a report says of a record."""
    coverage = {name: f"{seen.scored}/{seen.expected}" for name, seen in one.coverage.items()}
    path = f"results/records/mini/{one.cell}.json"
    return {"status": one.status, "metrics": one.metrics, "coverage": coverage, "path": path}


def made_report(folder: Path, **other: Any) -> Report:
    """Make a report whose last row, figure, clip and reasons have hostile names."""
    write_splits(folder)
    records, planned = full()
    records += [record(HOSTILE, seed, 50) for seed in range(3)]
    planned += [planned_cell(HOSTILE, seed, method="a_new_one", label=HOSTILE) for seed in range(3)]
    given = context(folder, records, planned)
    by_row: dict[str, dict[str, Any]] = {}
    for one in records:
        by_row.setdefault(one.row, {})[one.cell] = facts(one)
    numbers = (
        ("class", "difference"),
        (
            ("surfing", Number(4.5, signed=True)),
            (HOSTILE, Number(-12.0)),
            ("knitting", None),
        ),
    )
    drawn = Figure("plane", "The plane", f"First.\n\n{HOSTILE}", SVG, HOSTILE, "", *numbers)
    lacking = Figure("curves", "Training curves", "Losses.", lacking="runs/ is not here; run 'x'")
    report = Report(
        profile="mini",
        title=given.header,
        is_embedded_world=True,
        built_from="commit 0123456, 18 records",
        tables=tuple(build(which, given) for which in TABLES),
        figures=(drawn, lacking),
        videos=(
            Video("mini_ucf/a.mp4", HOSTILE, HOSTILE, False, PIXEL, HOSTILE),
            Video("mini_ucf/b.mp4", "surfing", "surfing", True, PIXEL, "aurl"),
        ),
        records=by_row,
        environment=(("python", "3.12.1"), (HOSTILE, HOSTILE)),
        coverage=(Coverage("mini_ucf", 400, 399, ((HOSTILE, HOSTILE),)),),
    )
    return replace(report, **other)
