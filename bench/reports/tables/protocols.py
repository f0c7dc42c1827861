"""One method under every protocol: the same rows as the comparison's, grouped by method."""

from bench.data.reference import published
from bench.errors import unknown
from bench.reports.tables.comparability import opening
from bench.reports.tables.context import Table, TableContext, filled
from bench.reports.tables.flags import with_marks
from bench.reports.tables.rows import Row
from bench.reports.tables.sota import columns_of, groups
from bench.reports.tables.text import ALSO, within

_LEFT_OUT = {"note", "source", "approximated"}


def build_protocols(context: TableContext) -> Table:
    """Build the table; ``context.only`` names the one method that it shows ("" for all)."""
    facts = [number for number in published() if number.table != "ablation"]
    by_row: dict[str, list[tuple[str, str, Row]]] = {}
    for block, protocol, rows in groups(context, facts):
        for row in rows:
            if context.only in ("", row.method, row.name):
                by_row.setdefault(row.name, []).append((block, protocol, row))
    if context.only and not by_row:
        known = {row.method for _, _, rows in groups(context, facts) for row in rows}
        raise unknown("method", context.only, known)
    columns = columns_of(context, facts, "", "")
    shown = [at for at, column in enumerate(columns) if column.name not in _LEFT_OUT]
    shown[:2] = shown[1], shown[0]  # the method before the protocol
    table, data = [], []
    for found in by_row.values():
        for block, protocol, row in found:
            (line,) = filled(columns_of(context, facts, block, protocol), [row])
            table.append([line[at] for at in shown])
            data.append(row.as_json() | {"block": block, "protocol": protocol})
    header = [
        *opening(context),
        "Top-1 in percent of videos. Numbers under different protocols are not comparable: half of "
        "the classes is always easier than all of them. Published numbers are quoted.",
        *([ALSO] if within(context, [], context.headlines) else []),
    ]
    names = [columns[at][:2] for at in shown]
    title = f"Every method under every protocol, profile {context.profile}"
    shown_rows = [found[0][2] for found in by_row.values()]
    _, legend = with_marks(context, shown_rows)
    return Table(title, header, names, table, legend, data)
