"""Gather a report from a profile's records, tables and runs, and write its figures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from bench.config.paths import Layout
from bench.errors import UserError
from bench.experiments.record import Record
from bench.reports.figures import accuracy, confusion, curves, gap, plane, tau
from bench.reports.figures import class_differences as classes
from bench.reports.figures import data_coverage as coverage
from bench.reports.figures import embedding_map as plane_of_embeddings
from bench.reports.figures.drawing import not_drawn, style
from bench.reports.figures.material import Material
from bench.reports.page.examples import examples
from bench.reports.report_model import Figure, Report, Video
from bench.reports.tables import TABLES, build
from bench.reports.tables.context import TableContext
from bench.reports.tables.rows import cells
from bench.utils.io import replacing, write_text


def records_by_row(context: TableContext, root: Path, folder: Path) -> dict[str, dict[str, Any]]:
    """Return row -> cell -> facts, of every record in ``folder``."""
    states = {cell.about.cell: (cell.state, cell.reason) for cell in cells(context)}
    found: dict[str, dict[str, Any]] = {}
    for record in context.records:
        state, reason = states.get(record.cell, ("not planned", ""))
        found.setdefault(record.row, {})[record.cell] = {
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
            "path": (folder / f"{record.cell}.json").relative_to(root).as_posix(),
        }
    return found


def environment(records: Sequence[Record]) -> tuple[tuple[str, str], ...]:
    """Return (name, value) over all records; several values joined, the most frequent first."""
    seen: dict[str, dict[str, int]] = {}
    for record in records:
        own: Mapping[str, str] = record.environment | {"decoder": record.decoder}
        for name, value in own.items():
            counts = seen.setdefault(name, {})
            counts[value or "none"] = counts.get(value or "none", 0) + 1
    return tuple((name, _joined(counts)) for name, counts in sorted(seen.items()))


def _joined(counts: Mapping[str, int]) -> str:
    if len(counts) == 1:
        return next(iter(counts))
    ordered = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    return "; ".join(f"{value} ({count} records)" for value, count in ordered)


def built_from(records: Sequence[Record]) -> str:
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
        + (f" ({dirty} with changes beside it)" if dirty else "")
        + (f", the newest from {newest}" if newest else "")
    )


_DRAWN = (gap, accuracy, tau, plane, classes, confusion, plane_of_embeddings, curves)
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
    covered = coverage.gather(material.rows)
    with style():
        figures = [_drawn(one, material) for one in _DRAWN]
        figures.append(coverage.draw(covered))
    videos, videos_lacking = _examples(material)
    return Report(
        profile=context.profile,
        title=context.header,
        is_embedded_world=context.is_embedded_world,
        built_from=built_from(context.records),
        tables=tuple(build(which, context) for which in TABLES),
        figures=tuple(figures),
        videos=videos,
        records=records_by_row(context, layout.root, layout.records),
        environment=environment(context.records),
        coverage=covered,
        videos_lacking=videos_lacking,
    )


def _drawn(one: ModuleType, material: Material) -> Figure:
    """Return a figure; if its files in runs/ are damaged, one that says so."""
    try:
        figure: Figure = one.draw(material)
    except UserError as error:
        return not_drawn(one.KEY, one.TITLE, _said(error, material))
    return figure


def _examples(material: Material) -> tuple[tuple[Video, ...], str]:
    try:
        return examples(material)
    except UserError as error:
        return (), _said(error, material)


def _said(error: UserError, material: Material) -> str:
    """Return the message with paths relative to the project's root."""
    return str(error).replace(f"{material.layout.root}/", "") + "."


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
