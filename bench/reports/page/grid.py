"""A table as the page shows it: which cells are numbers, where each leads, what is behind it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from bench.reports.page.evidence import Quote
from bench.reports.tables import Table
from bench.reports.tables.columns import heading, number_text
from bench.reports.tables.context import EMBEDDED
from bench.reports.tables.rows import MISSING

_NUMBER = re.compile(r"(\(?[+−-]?\d+(?:\.\d+)?)( ± \d+(?:\.\d+)?)?( \*)?(\)?)")
_COUNTS = re.compile(r"\d+(/\d+)?(, \d+(/\d+)?)*")
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
    embedded: bool = False  # measured in the embedded world, and said so

    @property
    def mixed(self) -> bool:
        """Whether some rows are measured and some are not: whether to offer a choice."""
        return len({line.measured for line in self.lines}) == 2


@dataclass(frozen=True)
class Behind:
    """Where numbers lead: the anchors of rows' records and the published numbers."""

    rows: Mapping[str, str]
    counts: Mapping[str, int]
    quotes: tuple[Quote, ...]


def plain_grid(
    anchor: str, title: str, names: tuple[str, ...], rows: tuple[tuple[str, ...], ...]
) -> Grid:
    """Return a table of texts and numbers that lead nowhere."""
    texts = [[row[at] if at < len(row) else MISSING for at in range(len(names))] for row in rows]
    heads = tuple(
        _head(("", name), "", [row[at] for row in texts]) for at, name in enumerate(names)
    )
    lines = tuple(Line(tuple(_split(text) for text in row), False, False) for row in texts)
    return Grid(anchor, title, (), (), heads, lines, ())


def grid(table: Table, anchor: str, behind: Behind, said: tuple[str, ...]) -> Grid:
    """Return a table of the page; header lines that the page has ``said`` are left out."""
    order = _order(table)
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
    groups = [(name, len(list(same))) for name, same in groupby(c[0] for c in columns)]
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


def _order(table: Table) -> list[int]:
    names = [name for _, name in table.columns]
    first = next((names.index(name) for name in _HEADS if name in names), 0)
    return [first, *(at for at in range(len(names)) if at != first)]


def _head(column: tuple[str, str], before: str, texts: list[str]) -> Head:
    group, name = column
    found = [text for text in texts if text != MISSING]
    numeric = bool(found) and all(_NUMBER.fullmatch(t) or _COUNTS.fullmatch(t) for t in found)
    words = (word for text in found for word in text.split())
    long = not numeric and (
        any(len(text) > _LONG for text in found) or any(len(word) > _LONG_WORD for word in words)
    )
    starred = numeric and any("*" in text for text in found)
    return Head(name, group, numeric, long, starred, group != before)


def _split(text: str) -> Shown:
    match = _NUMBER.fullmatch(text)
    if match is None:
        return Shown(text)
    main, spread, star, end = match.groups()
    return Shown(main, (spread or "").strip(), bool(star), end)


def _cell(column: tuple[str, str], text: str, data: Mapping[str, Any], behind: Behind) -> Shown:
    group, name = column
    shown = _split(text)
    if not _NUMBER.fullmatch(text) or not group or name in ("n", "coverage"):
        return shown
    if group == "published":
        return _quoted(shown, name, text, data, behind)
    row = data.get("row", "")
    if row not in behind.rows:
        return shown
    key, tip = _measured(group, name, text, data)
    count = behind.counts[row]
    tip += f"\nSource: {count} record{'s' * (count != 1)} of {row}"
    return Shown(
        shown.main, shown.spread, shown.star, shown.end, f"#{behind.rows[row]}", tip, key or "-"
    )


def _quoted(shown: Shown, name: str, text: str, data: Mapping[str, Any], behind: Behind) -> Shown:
    """Lead a published number to its entry in the list of sources."""
    metrics = data.get("metrics", {})
    for quote in behind.quotes:
        one = quote.about
        here = one.method == data.get("method") and quote.value == text
        if (
            here
            and metrics.get(one.key, {}).get("published") == one.value
            and _names(one.key, name)
        ):
            return Shown(
                shown.main, shown.spread, shown.star, shown.end, f"#{quote.anchor}", quote.tip
            )
    return shown


def _names(key: str, name: str) -> bool:
    short = heading(key)
    return name in (short, key.split(".")[0].upper()) or short.split(" ")[0] == name


def _measured(group: str, name: str, text: str, data: Mapping[str, Any]) -> tuple[str, str]:
    """Return the metric of a measured cell ("" if it is no mean of one) and what to say of it."""
    label = data.get("label", "")
    if group != "measured":
        return "", f"{label}, {group} {name}: {text}{_gap(name, text, data)}"
    bare = text.removesuffix(" *")
    protocol = data.get("protocol", "")
    for key, found in data.get("metrics", {}).items():
        if found["mean"] is None or key.count(".") != 2 or heading(key) != name:
            continue
        if protocol and key.split(".")[1] not in (protocol, "full" if "seen" in key else protocol):
            continue
        if number_text(found["mean"], found["std"], key) == bare:
            return key, "\n".join([f"{label}, {key}", *_spread(found), *_ties(text)])
    return "", f"{label}, {name}: {text}"


def _spread(found: Mapping[str, Any]) -> list[str]:
    over, n = found.get("over", "repeats"), found["n"]
    unit = over if n != 1 else over.removesuffix("s")
    mean = f"{found['mean']:.3f}".rstrip("0").rstrip(".")
    lines = [
        f"{mean}, one {unit}: no spread"
        if found["std"] is None
        else f"mean {mean}, sample deviation {found['std']:.3f}, n = {n} {unit}"
    ]
    if within := found.get("within"):
        lines.append(f"± {within['std']:.3f} over {within['n']} {within['over']} within")
    return lines


def _ties(text: str) -> list[str]:
    return ["* cannot be told from the best of its column"] if text.endswith("*") else []


def _gap(name: str, text: str, data: Mapping[str, Any]) -> str:
    """Return the interval of a difference, where the table's data has that difference."""
    for gap in data.get("gaps", ()):
        same = f"{gap['difference']:+.1f}" == text.strip("()") and gap["metric"].count(".") == 2
        if same and heading(gap["metric"]) == name and gap.get("interval"):
            low, high = gap["interval"]
            return f"\n95 % interval {low:+.1f} to {high:+.1f} against {gap['to']}"
    return ""
