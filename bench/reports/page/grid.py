"""A table as the page shows it: its cells as HTML parts, and where each number leads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from bench.reports.page.evidence import Quote
from bench.reports.tables.context import EMBEDDED
from bench.reports.tables.typed_table import (
    Counts,
    Difference,
    Measured,
    Number,
    Quoted,
    Table,
    Value,
    text_of,
)

_HEADS = ("method", "class", "data set")  # the column that names a row, which comes first
_LONG, _LONG_WORD = 40, 24  # characters from which a column is running text


@dataclass(frozen=True)
class Head:
    """A column's head."""

    name: str
    group: str
    numeric: bool
    long: bool  # running text, which may break into lines
    starred: bool  # room for the mark of ties
    starts: bool  # whether a group starts here


@dataclass(frozen=True)
class Shown:
    """A cell: a number in its parts, or a text (``main``)."""

    main: str
    spread: str = ""
    star: bool = False
    end: str = ""
    href: str = ""
    tip: str = ""
    key: str = ""  # the metric, where the link leads to records


@dataclass(frozen=True)
class Line:
    """A row of the page's table."""

    cells: tuple[Shown, ...]
    measured: bool
    quoted: bool  # nothing of it was run here


@dataclass(frozen=True)
class Grid:
    """A table, ready to show."""

    anchor: str
    title: str
    header: tuple[str, ...]
    groups: tuple[tuple[str, int], ...]
    heads: tuple[Head, ...]
    lines: tuple[Line, ...]
    notes: tuple[str, ...]
    embedded: bool = False  # measured in the embedded world, and the header says so

    @property
    def mixed(self) -> bool:
        """Whether some rows are measured and some are not, so that the page offers a filter."""
        return len({line.measured for line in self.lines}) == 2


@dataclass(frozen=True)
class Behind:
    """Where numbers lead: the anchors of each row's records, and the published numbers."""

    rows: Mapping[str, str]
    counts: Mapping[str, int]
    quotes: tuple[Quote, ...]


def plain_grid(
    anchor: str, title: str, names: Sequence[str], rows: Sequence[Sequence[Value]]
) -> Grid:
    """Return a table of texts and numbers without links."""
    cells = [[row[at] if at < len(row) else None for at in range(len(names))] for row in rows]
    heads = tuple(
        _head(("", name), "", [row[at] for row in cells]) for at, name in enumerate(names)
    )
    lines = tuple(
        Line(tuple(Shown(**_parts(value)) for value in row), False, False) for row in cells
    )
    return Grid(anchor, title, (), (), heads, lines, ())


def grid(table: Table, anchor: str, behind: Behind, said: Sequence[str]) -> Grid:
    """Return a table with its links; header lines in ``said`` are already on the page."""
    names = [name for _, name in table.columns]
    first = next((names.index(name) for name in _HEADS if name in names), 0)
    order = [first, *(at for at in range(len(names)) if at != first)]
    columns = [table.columns[at] for at in order]
    heads, before = [], columns[0][0]
    for at, column in zip(order, columns, strict=True):
        heads.append(_head(column, before, [row[at] for row in table.rows]))
        before = column[0]
    lines = []
    for at, row in enumerate(table.rows):
        data = table.data[at] if at < len(table.data) else {}
        cells = tuple(_cell(table.columns[place], row[place], data, behind) for place in order)
        measured = any(cell.key for cell in cells)
        lines.append(Line(cells, measured, data.get("status") == "quoted"))
    embedded = EMBEDDED in table.header
    groups = [(name, len(list(same))) for name, same in groupby(group for group, _ in columns)]
    named = [name for name, _ in groups]
    if embedded and "measured" in named:
        at = named.index("measured")
        groups[at] = ("measured, embedded world", groups[at][1])
    return Grid(
        anchor,
        table.title.rpartition(", profile ")[0] or table.title,
        tuple(line for line in table.header if line not in said),
        tuple(groups) if any(named) else (),
        tuple(heads),
        tuple(lines),
        tuple(table.notes),
        embedded,
    )


def _head(column: tuple[str, str], before: str, values: Sequence[Value]) -> Head:
    group, name = column
    found = [value for value in values if value is not None]
    numeric = bool(found) and all(isinstance(value, Number | Counts) for value in found)
    texts = [] if numeric else list(map(text_of, found))
    words = (word for text in texts for word in text.split())
    long = any(len(text) > _LONG for text in texts) or any(len(word) > _LONG_WORD for word in words)
    starred = any(isinstance(value, Number) and value.is_tied for value in found)
    return Head(name, group, numeric, long, numeric and starred, group != before)


def _parts(value: Value) -> dict[str, Any]:
    if not isinstance(value, Number):
        return {"main": text_of(value)}
    start, end = ("(", ")") if value.in_doubt else ("", "")
    return {
        "main": start + value.mean,
        "spread": value.spread,
        "star": value.is_tied,
        "end": end,
    }


def _cell(column: tuple[str, str], value: Value, data: Mapping[str, Any], behind: Behind) -> Shown:
    group, name = column
    parts = _parts(value)
    if isinstance(value, Quoted):
        quote = next((one for one in behind.quotes if one.about == value.source), None)
        return Shown(**parts, href=f"#{quote.anchor}", tip=quote.tip) if quote else Shown(**parts)
    row = data.get("row", "")
    if not isinstance(value, Number) or not group or row not in behind.rows:
        return Shown(**parts)
    label, count = data.get("label", ""), behind.counts[row]
    if isinstance(value, Measured):
        lines = [f"{label}, {value.key}", *_spread(value)]
    else:
        lines = [f"{label}, {group} {name}: {value}", *_interval(value)]
    lines.append(f"Source: {count} record{'s' * (count != 1)} of {row}")
    key = value.key if isinstance(value, Measured) else "-"
    return Shown(**parts, href=f"#{behind.rows[row]}", tip="\n".join(lines), key=key)


def _spread(found: Measured) -> list[str]:
    unit = found.over if found.n != 1 else found.over.removesuffix("s")
    mean = f"{found.value:.3f}".rstrip("0").rstrip(".")
    lines = [
        f"{mean}, one {unit}: no spread"
        if found.std is None
        else f"mean {mean}, sample deviation {found.std:.3f}, n = {found.n} {unit}"
    ]
    if found.within:
        over, inner = found.within
        lines.append(f"± {inner.std:.3f} over {inner.n} {over} within")
    if found.is_tied:
        lines.append("* best of its column, or not significantly different from it")
    return lines


def _interval(found: Number) -> list[str]:
    if not isinstance(found, Difference) or not found.interval:
        return []
    low, high = found.interval
    return [f"95 % interval {low:+.1f} to {high:+.1f} against {found.against}"]
