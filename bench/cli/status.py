"""``bench status``: how many cells of each row are done, and why the others are not."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bench.cli.splits import AsJson, print_json
from bench.cli.stages import Profile, opened
from bench.terminal import console, on_terminal, print_pairs, print_title, shown

if TYPE_CHECKING:
    from bench.config import Config
    from bench.layout import Layout
    from bench.tables.cells import Cell

# State of a cell -> its word for a person, and its colour, which says no more than the word.
STATES = {
    "ok": ("done", "green"),
    "not run": ("to train", "cyan"),
    "outdated": ("outdated", "yellow"),
    "failed": ("failed", "bold red"),
    "broken": ("broken", "bold red"),
    "missing": ("missing", "magenta"),
    "no file": ("no file", "magenta"),
}


def status(as_json: AsJson = False, profile: Profile = None) -> None:
    """Show how many cells of each row are done, failed, outdated or not run.

    Example: bench status --profile ucf15
    """
    config, layout = opened(profile)
    found = all_cells(config, layout)
    if as_json:
        print_json(_value(config, found))
        return
    rows: dict[str, Counter[str]] = {}
    reasons: dict[str, str] = {}
    for cell in found:
        rows.setdefault(cell.about.row, Counter())[cell.state] += 1
        if cell.reason:
            reasons.setdefault(f"{cell.about.row} {cell.state}", cell.reason)
    print_title(f"profile {config.name}: {config.profile.title}")
    if on_terminal():
        labels = {cell.about.row: cell.about.label for cell in found}
        _draw(rows, labels, [state for state in STATES if any(rows[r][state] for r in rows)])
        print(counted(found))
        print_pairs(reasons.items(), indent=2)
        return
    width = max(map(len, rows), default=0)
    for row, counts in rows.items():
        states = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
        print(f"{row:<{width}}  {states}")
    for what, reason in reasons.items():
        print(f"  {what}: {reason}")


def all_cells(config: "Config", layout: "Layout") -> "list[Cell]":
    """Return every cell that is planned or recorded, with its state."""
    from bench.stages.table import context
    from bench.tables.cells import cells

    return cells(context(config, layout))


def counted(cells: "Sequence[Cell]") -> str:
    """Return ``107 done, 2 missing``; ``none`` for no cells."""
    counts = Counter(cell.state for cell in cells)
    return (
        ", ".join(f"{counts[s]} {word}" for s, (word, _) in STATES.items() if counts[s]) or "none"
    )


def _value(config: "Config", cells: "Sequence[Cell]") -> dict[str, Any]:
    return {
        "profile": config.name,
        "title": config.profile.title,
        "counts": dict(Counter(cell.state for cell in cells)),
        "cells": [
            {
                "cell": cell.about.cell,
                "row": cell.about.row,
                "label": cell.about.label,
                "state": cell.state,
                "reason": cell.reason,
            }
            for cell in cells
        ],
    }


def _draw(rows: dict[str, Counter[str]], labels: dict[str, str], states: list[str]) -> None:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("row", overflow="fold")
    table.add_column("label", overflow="fold")
    for state in states:
        table.add_column(STATES[state][0], justify="right", no_wrap=True)
    for row, counts in rows.items():
        numbers = [shown(str(counts[s]) if counts[s] else "", STATES[s][1]) for s in states]
        table.add_row(shown(row), shown(labels[row]), *numbers)
    console().print(table)
