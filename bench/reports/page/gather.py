"""Gather a report from a profile's records, tables and runs, and write its figures."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.config.paths import Layout
from bench.errors import UserError
from bench.experiments.record import Record
from bench.reports.figures import FIGURES, draw
from bench.reports.figures.class_figures import coverage_of
from bench.reports.figures.material import Material
from bench.reports.page.examples import examples
from bench.reports.report_model import Report, Video
from bench.reports.tables import TABLES, build
from bench.reports.tables.context import TableContext
from bench.reports.tables.rows import cells
from bench.utils.io import replacing, write_text

_STANDALONE = (
    "<style>svg{color:#1c2024}@media(prefers-color-scheme:dark){svg{color:#e6e6e6}}</style>"
)


def gather(
    context: TableContext,
    layout: Layout,
    compare: tuple[str, str] | None = None,
    row: str = "",
) -> Report:
    """Return the report; ``compare`` names two rows, ``row`` the row of single-row figures.

    UserError for an unknown row, one that is not measured, or damaged records.
    """
    material = Material(context, layout, compare, row)
    _ = material.compare, material.row  # UserError for unknown rows before anything is drawn
    videos: tuple[Video, ...] = ()
    lacking = ""
    try:
        videos = examples(material)
    except UserError as error:
        lacking = str(error).replace(f"{layout.root}/", "") + "."
    return Report(
        profile=context.profile,
        title=context.header,
        is_embedded_world=context.is_embedded_world,
        built_from=_built_from(context.records),
        tables=tuple(build(which, context) for which in TABLES),
        figures=tuple(draw(key, material) for key in FIGURES),
        videos=videos,
        records=_records_by_row(context, layout),
        environment=_environment(context.records),
        coverage=coverage_of(material.rows),
        videos_lacking=lacking,
    )


def _records_by_row(context: TableContext, layout: Layout) -> dict[str, dict[str, Any]]:
    """Return row -> cell -> facts of every record."""
    states = {cell.about.cell: (cell.state, cell.reason) for cell in cells(context)}
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for record in context.records:
        state, reason = states.get(record.cell, ("not planned", ""))
        path = layout.records / f"{record.cell}.json"
        found[record.row][record.cell] = {
            "status": record.status if state == "ok" else state,
            "reason": record.reason or reason,
            "seed": record.seed,
            "split": record.split,
            "metrics": record.metrics,
            "coverage": {n: f"{c.scored}/{c.expected}" for n, c in record.coverage.items()},
            "commit": record.git_commit,
            "dirty": record.git_dirty,
            "fingerprint": record.fingerprint,
            "started": record.started,
            "wall_s": record.wall_s,
            "decoder": record.decoder,
            "path": path.relative_to(layout.root).as_posix(),
        }
    return dict(found)


def _environment(records: Sequence[Record]) -> tuple[tuple[str, str], ...]:
    """Return (name, value) over all records; several values joined, the most frequent first."""
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for record in records:
        for name, value in {**record.environment, "decoder": record.decoder}.items():
            seen[name][value or "none"] += 1
    joined = {}
    for name, counts in sorted(seen.items()):
        ordered = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
        several = "; ".join(f"{value} ({count} records)" for value, count in ordered)
        joined[name] = several if len(ordered) > 1 else ordered[0][0]
    return tuple(joined.items())


def _built_from(records: Sequence[Record]) -> str:
    """Return how many records, of which commits, the newest from when."""
    if not records:
        return "no record"
    commits = sorted({one.git_commit[:12] for one in records if one.git_commit})
    dirty = sum(one.git_dirty for one in records)
    newest = max(one.started for one in records)[:10]
    shown = ", ".join(commits[:3]) + (f" and {len(commits) - 3} more" if len(commits) > 3 else "")
    return (
        f"{len(records)} record{'s' * (len(records) > 1)}"
        + (f" of commit{'s' * (len(commits) > 1)} {shown}" if commits else "")
        + (f" ({dirty} with uncommitted changes)" if dirty else "")
        + (f", the newest from {newest}" if newest else "")
    )


def write(report: Report, folder: Path) -> list[Path]:
    """Write every figure as ``<key>.svg``, which follows the reader's dark mode, and ``<key>.png``.

    Files of figures that cannot be drawn any more are removed.
    """
    written = []
    for figure in report.figures:
        svg, png = (folder / f"{figure.key}.{kind}" for kind in ("svg", "png"))
        if not figure.svg:
            svg.unlink(missing_ok=True)
            png.unlink(missing_ok=True)
            continue
        start = figure.svg.index(">") + 1
        write_text(svg, f"{figure.svg[:start]}{_STANDALONE}{figure.svg[start:]}\n")
        if not png.is_file() or png.read_bytes() != figure.png:
            with replacing(png) as part:
                part.write_bytes(figure.png)
        written += [svg, png]
    return written
