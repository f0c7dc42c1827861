"""From records to tables: ``render(build("ablation", context), "md")``."""

from collections.abc import Callable

from bench.errors import unknown
from bench.reports.tables.context import TableContext
from bench.reports.tables.render import FORMATS, render
from bench.reports.tables.result_tables import (
    build_ablation,
    build_protocols,
    build_readings,
    build_sota,
)
from bench.reports.tables.split_tables import build_overlap, build_splits
from bench.reports.tables.typed_table import Table

_BUILDERS: dict[str, Callable[[TableContext], Table]] = {
    "ablation": build_ablation,
    "sota": build_sota,
    "protocols": build_protocols,
    "readings": build_readings,
    "splits": build_splits,
    "overlap": build_overlap,
}
TABLES = tuple(_BUILDERS)


def build(which: str, context: TableContext) -> Table:
    """Build one of ``TABLES``; an unknown name is a ``UserError``."""
    if which not in _BUILDERS:
        raise unknown("table", which, TABLES)
    return _BUILDERS[which](context)


def render_all(context: TableContext) -> dict[str, str]:
    """Return file name -> text of every table in every format."""
    found = {}
    for which in TABLES:
        table = build(which, context)
        for fmt in FORMATS:
            suffix = "tex" if fmt == "latex" else fmt
            found[f"{which}.{suffix}"] = render(table, fmt).rstrip("\n") + "\n"
    return found


__all__ = ["FORMATS", "TABLES", "Table", "TableContext", "build", "render", "render_all"]
