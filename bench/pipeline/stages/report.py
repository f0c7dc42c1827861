"""Stage report: one page and its figures, from records, tables and runs."""

import os
from pathlib import Path

from bench.config.paths import Layout
from bench.config.profile import Config
from bench.reports.page.gather import gather, write
from bench.reports.page.html import page
from bench.reports.report_model import Report
from bench.reports.tables.context import read_context
from bench.utils.io import write_text


def run(
    config: Config,
    layout: Layout,
    compare: tuple[str, str] | None = None,
    row: str = "",
    out: Path | None = None,
    links: str = "",
) -> Report:
    """Write ``results/report/<profile>`` and a copy of its page, ``results/report/index.html``.

    With ``out``, write to that folder only. ``links`` is the address of the project's files, for a
    page that is published without them. Raises UserError like
    ``bench.reports.page.gather.gather``.
    """
    report = gather(read_context(config, layout), layout, compare, row)
    folder = out or layout.report
    write(report, folder / "figures")
    _page(report, layout, folder, "figures", links)
    if out is None:
        _page(report, layout, folder.parent, f"{folder.name}/figures", links)
    drawn = sum(bool(figure.svg) for figure in report.figures)
    print(f"{_shown(folder / 'index.html')}: {drawn} figures, {len(report.videos)} example videos")
    print(f"{_shown(folder / 'figures')}: each figure as .svg and .png")
    if out is None:
        print(f"{_shown(folder.parent / 'index.html')}: a copy of this page")
    for figure in report.figures:
        if figure.lacking:
            print(f"without {figure.key}: {figure.lacking}")
    if report.videos_lacking:
        print(f"without videos: {report.videos_lacking}")
    return report


def _page(report: Report, layout: Layout, folder: Path, figures: str, links: str) -> None:
    root = Path(os.path.relpath(layout.root, folder)).as_posix()
    write_text(folder / "index.html", page(report, root, figures, links))


def _shown(path: Path) -> str:
    """Return the shortest form of a path: relative to the current folder, or absolute."""
    return min(os.path.relpath(path), str(path.resolve()), key=len)
