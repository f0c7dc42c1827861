"""The evidence behind a page's numbers: the records of each row, the source of each quote."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from bench.data.reference import Published, published
from bench.reports.report_model import Report
from bench.reports.tables.context import EMBEDDED
from bench.reports.tables.typed_table import (
    MISSING,
    SCATTER,
    Counts,
    Difference,
    Measured,
    Number,
    Quoted,
    Table,
    Value,
    number_text,
    text_of,
)

_KNOWN = {"status", "reason", "metrics", "coverage", "commit", "dirty", "fingerprint", "started"}
_KNOWN |= {"wall_s", "path", "seed", "split"}


@dataclass(frozen=True)
class Records:
    """The records of one row: ``keys`` are its metrics, each entry has a value or — for each."""

    anchor: str
    row: str
    label: str
    keys: tuple[str, ...]
    others: tuple[str, ...]  # names of facts without a column of their own
    entries: tuple[dict[str, Any], ...]
    counted: str  # "3 records", with those that are not ok


def anchors(kind: str, names: Iterable[str]) -> dict[str, str]:
    """Return name -> a unique id of letters, digits and ``.=+-``."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        plain = f"{kind}-{re.sub(r'[^A-Za-z0-9_.=+-]+', '-', name)[:80]}"
        new, n = plain, 1
        while new in taken:
            n += 1
            new = f"{plain}-{n}"
        taken.add(new)
        found[name] = new
    return found


def labels(report: Report) -> dict[str, str]:
    """Return row -> its label in the report's tables."""
    found: dict[str, str] = {}
    for table in report.tables:
        for row in table.data:
            if "row" in row:
                found.setdefault(row["row"], row.get("label", row["row"]))
    return found


def metric_text(key: str, value: float | None) -> str:
    """Return a record's value with one digit more than in tables, so that means can be checked."""
    if value is None:
        return MISSING
    return f"{value:.4f}" if key.rpartition(".")[2] in SCATTER else f"{value:.2f}"


def _entry(cell: str, facts: Mapping[str, Any], keys: Iterable[str], others: Iterable[str]) -> Any:
    reason, dirty = facts.get("reason", ""), " with changes" * bool(facts.get("dirty"))
    metrics, coverage = facts.get("metrics") or {}, facts.get("coverage") or {}
    wall = facts.get("wall_s")
    return {
        "cell": cell,
        "status": facts.get("status", MISSING) + f": {reason}" * bool(reason),
        "metrics": [metric_text(key, metrics.get(key)) for key in keys],
        "coverage": ", ".join(f"{name} {text}" for name, text in coverage.items()) or MISSING,
        "commit": f"{str(facts.get('commit') or MISSING)[:12]}{dirty}",
        "fingerprint": facts.get("fingerprint") or MISSING,
        "started": facts.get("started") or MISSING,
        "wall": MISSING if wall is None else f"{wall:.1f}",
        "others": [str(facts.get(name, MISSING)) for name in others],
        "path": facts.get("path", ""),
    }


def records(report: Report) -> list[Records]:
    """Return the records of each row, in the report's order."""
    ids, names = anchors("records", report.records), labels(report)
    found = []
    for row, cells in report.records.items():
        keys = tuple(dict.fromkeys(k for facts in cells.values() for k in facts.get("metrics", ())))
        others = tuple(
            dict.fromkeys(k for facts in cells.values() for k in facts if k not in _KNOWN)
        )
        bad = sum(facts.get("status") != "ok" for facts in cells.values())
        counted = f"{len(cells)} record{'s' * (len(cells) != 1)}" + f", {bad} not ok" * bool(bad)
        entries = tuple(_entry(cell, facts, keys, others) for cell, facts in cells.items())
        found.append(Records(ids[row], row, names.get(row, row), keys, others, entries, counted))
    return found


@dataclass(frozen=True)
class Quote:
    """A published number in the list of sources."""

    anchor: str
    about: Published
    value: str

    @property
    def tip(self) -> str:
        """The source and the setting of the number."""
        one = self.about
        where = one.dataset or "class set not stated"
        setting = [f"{where}, {one.protocol}", f"trained on {one.train}"]
        setting += [f"{one.clips} clip{'s' * (one.clips != 1)}"] if one.clips else []
        spread = "" if one.std else "\nno spread, no n stated"
        note = f"\n{one.note}" if one.note else ""
        said = f"Published {one.metric}: {self.value}{spread}\n{', '.join(setting)}{note}"
        return f"{said}\nSource: {one.source}"


def quotes() -> list[Quote]:
    """Return every published number, with its anchor."""
    return [
        Quote(f"published-{at}", one, number_text(one.value, one.std, one.key))
        for at, one in enumerate(published())
    ]


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
