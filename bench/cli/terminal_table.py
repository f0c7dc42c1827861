"""A table on a terminal: never wider than it; what has no room is named, not cut."""

import re
import textwrap
from typing import TYPE_CHECKING

from bench.errors import visible
from bench.utils.terminal import console, print_pairs, shown

if TYPE_CHECKING:
    from rich.table import Table as Grid
    from rich.text import Text

    from bench.reports.tables import Table

_STATE = re.compile(r"(failed|broken)|(outdated|not run|missing|not planned|no file|partial)|(ok)$")
_COLOURS = ("bold red", "yellow", "green")  # of the groups of _STATE
_REMARKS = ("approximated", "note", "source", "trained on", "digest")
_SCATTER = ("C↓", "D↑")
_GAP, _GROUP_GAP = 2, 2  # between columns; that much more where another group begins
_WRAPPED = {"method": 20}  # words wrap to this width before a column is left out
_NARROW = 12  # other words


def draw(table: "Table") -> None:
    """Print a table for a person: the columns that fit, most important first, and a line on others.

    A measured number keeps its ± and stars, and n goes before all numbers.
    """
    screen = console()
    widths = [_width(table, at) for at in range(len(table.columns))]
    chosen = _chosen(table, widths, screen.width)
    print_pairs([(table.title, "")])
    for number, line in enumerate(table.header):
        screen.print(shown(line, "yellow" if number == 1 and "generated world" in line else ""))
    screen.print()
    screen.print(_grid(table, chosen, widths))
    screen.print()
    for note in table.notes:
        print_pairs([("-", note)])
    left = [_name(*column) for at, column in enumerate(table.columns) if at not in chosen]
    if left:
        said = f"{len(left)} of {len(table.columns)} columns have no room here: {', '.join(left)}."
        screen.print(shown(f"{said} --wide prints them, as does a pipe.", "italic"))


def _chosen(table: "Table", widths: list[int], room: int) -> list[int]:
    """Return the columns that fit into ``room``, in their order; at least the first."""
    order = sorted(range(len(widths)), key=lambda at: (_rank(table, at), at))
    chosen: list[int] = []
    for at in order:
        tried = sorted([*chosen, at])
        if chosen and sum(_laid_out(table, tried, widths)) + _GAP * (len(tried) - 1) > room:
            break
        chosen = tried
    return chosen


def _laid_out(table: "Table", chosen: list[int], widths: list[int]) -> list[int]:
    """Return the widths of columns side by side: the first of a group holds its name and a gap."""
    found = []
    before: str | None = None
    for at in chosen:
        group = visible(table.columns[at][0])
        starts = group != before
        found.append(max(widths[at], len(group) if starts else 0))
        found[-1] += _GROUP_GAP if starts and before is not None else 0
        before = group
    return found


def _rank(table: "Table", at: int) -> int:
    """Return how soon a column is shown: who, how many, measured, published, the rest."""
    group, name = table.columns[at]
    if at == 0 or name in ("method", "reading"):
        return 0
    if name in ("n", "status", "protocol"):
        return 1
    if name in _REMARKS:
        return 8
    if name.startswith(_SCATTER):
        return 6 if group == "measured" else 7
    return {"": 2, "measured": 5 if name in ("also ±", "coverage") else 2, "published": 3}.get(
        group, 4
    )


def _is_text(table: "Table", at: int) -> bool:
    """Tell whether a column holds words, which may wrap: letters in most of its cells."""
    cells = [row[at] for row in table.rows if row[at] != "—" and table.columns[at][1] != "digest"]
    return sum(bool(re.match(r"[^\W\d]", cell)) for cell in cells) * 2 > len(cells)


def _width(table: "Table", at: int) -> int:
    """Return the width that a column needs: its longest cell, a word of its head; text wraps."""
    from rich.cells import cell_len

    name = table.columns[at][1]
    cells = max((cell_len(visible(row[at])) for row in table.rows), default=0)
    if _is_text(table, at):
        cells = min(cells, _WRAPPED.get(name, _NARROW))
    return max(cells, *(cell_len(visible(word)) for word in name.split(" ")))


def _grid(table: "Table", chosen: list[int], widths: list[int]) -> "Grid":
    from rich import box
    from rich.table import Table as Grid

    grid = Grid(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, _GAP - 1, 0, 0))
    heads = {at: _head(table.columns[at][1], widths[at]) for at in chosen}
    lines = max(map(len, heads.values()))
    grouped = any(table.columns[at][0] for at in chosen)
    before: str | None = None
    for at, width in zip(chosen, _laid_out(table, chosen, widths), strict=True):
        group, text = table.columns[at][0], _is_text(table, at)
        above = [group if group != before else ""] if grouped else []
        grid.add_column(
            _lines([*above, *[""] * (lines - len(heads[at])), *heads[at]]),
            justify="left" if text else "right",
            no_wrap=not text,
            overflow="fold",
            min_width=width,
        )
        before = group
    for row in table.rows:
        grid.add_row(*(shown(row[at], _style(table.columns[at][1], row[at])) for at in chosen))
    return grid


def _lines(lines: list[str]) -> "Text":
    from rich.text import Text

    return Text("\n").join(shown(line) for line in lines)


def _head(name: str, width: int) -> list[str]:
    return textwrap.wrap(name, width, break_long_words=False) or [""]


def _name(group: str, name: str) -> str:
    return name if group in ("", "measured") else f"{group} {name}"


def _style(column: str, text: str) -> str:
    if column == "status":
        found = _STATE.search(text)
        return _COLOURS[(found.lastindex or 1) - 1] if found else ""
    return "bold green" if text.endswith(" *") else ""
