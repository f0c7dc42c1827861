"""Output that several commands share: JSON, and tables that fit the terminal."""

import re
from typing import TYPE_CHECKING, Any

from bench.errors import unknown, visible
from bench.utils.terminal import console, on_terminal, print_pairs, shown

if TYPE_CHECKING:
    from rich.table import Table as RichTable

    from bench.reports.tables.typed_table import Table, Value

# The worst state in a row -> its colour; any other state is yellow.
_COLOURS = {"failed": "bold red", "broken": "bold red", "ok": "green", "quoted": ""}
_TEXT_WIDTHS = {"method": 20}  # columns of text wrap at this width, others at _TEXT_WIDTH
_TEXT_WIDTH = 15
_GAP = 2  # between columns


def is_json(fmt: str, as_json: bool = False) -> bool:
    """Return whether --format or --json asks for JSON; UserError for an unknown format."""
    if fmt not in ("text", "json"):
        raise unknown("format", fmt, ("text", "json"))
    return as_json or fmt == "json"


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    import json

    print(json.dumps(value, indent=1, ensure_ascii=False))


def print_table(table: "Table", fmt: str = "", wide: bool = False) -> None:
    """Print a table: in ``fmt`` if one is given, fitted to a terminal, or else as Markdown.

    A terminal shows the most important columns that fit and names the others, unless ``wide``.
    """
    if fmt or wide or not on_terminal():
        from bench.reports.tables import render

        print(render(table, fmt or "md").rstrip("\n"))
        return
    screen = console()
    widths = _cell_widths(table)
    chosen = _fitting_columns(table, widths, screen.width)
    print_pairs([(table.title, "")])
    for number, line in enumerate(table.header):
        screen.print(shown(line, "yellow" if number == 1 and "generated world" in line else ""))
    screen.print()
    screen.print(_rich_table(table, widths, chosen))
    screen.print()
    for note in table.notes:
        print_pairs([("-", note)])
    left_out = [
        name if group in ("", "measured") else f"{group} {name}"
        for at, (group, name) in enumerate(table.columns)
        if at not in chosen
    ]
    if left_out:
        text = f"{len(left_out)} of {len(table.columns)} columns do not fit: {', '.join(left_out)}."
        screen.print(shown(f"{text} Use --wide or a pipe to print all.", "italic"))


def _cell_widths(table: "Table") -> list[tuple[int, bool]]:
    """Return the width of each column's cells, and whether they are text, which may wrap."""
    from rich.cells import cell_len

    found = []
    for (_, name), cells in zip(table.columns, zip(*table.texts, strict=True), strict=True):
        words = [bool(re.match(r"[^\W\d]", cell)) for cell in cells if cell != "—"]
        is_text = name != "digest" and sum(words) * 2 > len(words)
        width = max(cell_len(visible(cell)) for cell in cells)
        found.append(
            (min(width, _TEXT_WIDTHS.get(name, _TEXT_WIDTH)) if is_text else width, is_text)
        )
    return found or [(0, False) for _ in table.columns]


def _fitting_columns(table: "Table", widths: list[tuple[int, bool]], width: int) -> list[int]:
    """Return the indices of the most important columns that fit into ``width``; at least one."""
    chosen: list[int] = []
    for at in sorted(range(len(table.columns)), key=lambda at: (_rank(*table.columns[at], at), at)):
        trial = sorted([*chosen, at])
        needed = sum(width + _GAP for width, _ in _heads(table, widths, trial)) - _GAP
        if chosen and needed > width:
            break
        chosen = trial
    return chosen


def _rank(group: str, name: str, at: int) -> int:
    """Return the priority of a column, 0 first: name, count and state, measured, published."""
    if at == 0 or name in ("method", "reading"):
        return 0
    if name in ("n", "status", "protocol"):
        return 1
    if name in ("approximated", "note", "source", "trained on", "digest"):
        return 8
    if name.startswith(("C↓", "D↑")):
        return 6 if group == "measured" else 7
    if name in ("also ±", "coverage"):
        return 5
    return {"": 2, "measured": 2, "published": 3}.get(group, 4)


def _rich_table(table: "Table", widths: list[tuple[int, bool]], chosen: list[int]) -> "RichTable":
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    found = RichTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for at, (width, head) in zip(chosen, _heads(table, widths, chosen), strict=True):
        text = widths[at][1]
        found.add_column(
            Text("\n").join(map(shown, head)),
            justify="left" if text else "right",
            no_wrap=not text,
            overflow="fold",
            width=width,
        )
    for row, texts in zip(table.rows, table.texts, strict=True):
        found.add_row(*(shown(texts[at], _style(row[at])) for at in chosen))
    return found


def _heads(
    table: "Table", widths: list[tuple[int, bool]], chosen: list[int]
) -> list[tuple[int, list[str]]]:
    """Return width and head of each column: its group where a group begins, then its name."""
    from rich.cells import cell_len

    heads, before = [], ""
    for at in chosen:
        group, name = table.columns[at]
        words = visible(name).split(" ")
        first = visible(group) if group != before else ""
        width = max(widths[at][0], *map(cell_len, (first, *words)))
        heads.append((width, first, words))
        before = group
    height = max(len(words) for _, _, words in heads)
    has_groups = any(first for _, first, _ in heads)
    return [
        (width, [first] * has_groups + [""] * (height - len(words)) + words)
        for width, first, words in heads
    ]


def _style(value: "Value") -> str:
    from bench.reports.tables.typed_table import Number, State

    if isinstance(value, State):
        return _COLOURS.get(value.worst, "yellow")
    return "bold green" if isinstance(value, Number) and value.is_tied else ""
