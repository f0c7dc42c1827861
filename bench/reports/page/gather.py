"""From a profile's records, tables and runs to the report, as data."""

from pathlib import Path
from types import ModuleType

from bench.config.paths import Layout
from bench.errors import UserError
from bench.reports.figures import accuracy, classes, confusion, coverage, curves, gap, plane, tau
from bench.reports.figures import map as plane_of_embeddings
from bench.reports.page import provenance as facts
from bench.reports.page.examples import examples
from bench.reports.page.figure_style import lacking, style
from bench.reports.page.material import Material
from bench.reports.page.model import Figure, Report, Video
from bench.reports.tables import TABLES, build
from bench.reports.tables.context import TableContext
from bench.utils.io import replacing, write_text

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
    """Return the report; ``compare`` names two rows, ``row`` that of the figures of a single one.

    UserError for a row that is not there or not measured, and for damaged records.
    """
    material = Material(context, layout, compare, row)
    _ = material.compare, material.row  # what was asked for and is not there ends it here
    covered = coverage.gather(material.rows)
    with style():
        figures = [_drawn(one, material) for one in _DRAWN]
        figures.append(coverage.draw(covered))
    videos, videos_lacking = _examples(material)
    return Report(
        profile=context.profile,
        title=context.header,
        is_embedded_world=context.is_embedded_world,
        built_from=facts.built_from(context.records),
        tables=tuple(build(which, context) for which in TABLES),
        figures=tuple(figures),
        videos=videos,
        records=facts.by_row(context, layout.root, layout.records),
        environment=facts.environment(context.records),
        coverage=covered,
        videos_lacking=videos_lacking,
    )


def _drawn(one: ModuleType, material: Material) -> Figure:
    """Return a figure; one whose files in runs/ are damaged says so, and the others stand."""
    try:
        figure: Figure = one.draw(material)
    except UserError as error:
        return lacking(one.KEY, one.TITLE, _said(error, material))
    return figure


def _examples(material: Material) -> tuple[tuple[Video, ...], str]:
    try:
        return examples(material)
    except UserError as error:
        return (), _said(error, material)


def _said(error: UserError, material: Material) -> str:
    """Return the error as a page may say it: paths from the project's root."""
    return str(error).replace(f"{material.layout.root}/", "") + "."


def write(report: Report, folder: Path) -> list[Path]:
    """Write every figure as ``<key>.svg``, which follows the reader's dark mode, and ``<key>.png``.

    Files of figures that are lacking now are removed.
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
