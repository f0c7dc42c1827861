"""``bench status``: how many cells of each row are done, why the others are not, how long."""

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli.splits import AsJson, print_json
from bench.cli.stages import Profile, opened
from bench.utils.progress import duration
from bench.utils.terminal import console, on_terminal, print_pairs, print_title, shown

if TYPE_CHECKING:
    from bench.config.paths import Layout
    from bench.config.profile import Config
    from bench.pipeline.time_left import MethodTime
    from bench.reports.tables.cell_states import Cell

# State of a cell -> its word for a person, and its colour, which says no more than the word.
STATES = {
    "ok": ("done", "green"),
    "not run": ("to train", "cyan"),
    "outdated": ("outdated", "yellow"),
    "failed": ("failed", "bold red"),
    "broken": ("broken", "bold red"),
    "missing": ("missing", "magenta"),
    "not planned": ("not planned", "magenta"),
    "no file": ("no file", "magenta"),
}


def status(
    eta: Annotated[
        bool,
        typer.Option("--eta", help="Also how long 'bench train' takes; tries steps where it must."),
    ] = False,
    jobs: Annotated[
        int,
        typer.Option("--jobs", "-j", min=0, help="With --eta: cells side by side, as in train."),
    ] = 0,
    as_json: AsJson = False,
    profile: Profile = None,
) -> None:
    """Show how many cells of each row are done, failed, outdated or not run.

    Example: bench status --profile ucf15
    """
    config, layout = opened(profile)
    found = all_cells(config, layout)
    times, side = _times(config, layout, jobs) if eta else ([], 1)
    if as_json:
        print_json(_value(config, found) | (_eta_value(times, side) if eta else {}))
        return
    _show(config, found)
    if eta:
        _show_times(times, side)


def _show(config: "Config", found: "Sequence[Cell]") -> None:
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
    from bench.pipeline.stages.table import context
    from bench.reports.tables.cell_states import cells

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


def _times(config: "Config", layout: "Layout", jobs: int) -> "tuple[list[MethodTime], int]":
    from bench.experiments.plan import plan
    from bench.pipeline.stages.train import is_done, side_by_side
    from bench.pipeline.time_left import method_times

    able = [c for c in plan(config, layout, config.readings.run) if not c.missing and not c.problem]
    left = [cell for cell in able if not is_done(layout, cell)]

    def tell(method: str) -> None:
        print(f"timing {method}", file=sys.stderr, flush=True)

    return method_times(config, layout, left, tell), side_by_side(config, jobs)[0]


def _eta_value(times: "Sequence[MethodTime]", side: int) -> dict[str, Any]:
    from bench.pipeline.time_left import total

    methods = [asdict(one) | {"limit": one.limit} for one in times]
    return {"eta": {"seconds": total(times, side), "side_by_side": side, "methods": methods}}


def _show_times(times: "Sequence[MethodTime]", side: int) -> None:
    """Print a line a method, and when the last cell ends."""
    from bench.pipeline.time_left import total

    width = max((len(one.method) for one in times), default=0)
    print("\ntime of the cells to train" if times else "\nnothing to train")
    for one in times:
        print(f"{one.method:<{width}}  {one.cells} × {_time_of(one)}")
    if times:
        count, lost = sum(one.cells for one in times), [o for o in times if o.cell_s is None]
        without = f", without {sum(o.cells for o in lost)} whose time is not known" if lost else ""
        print(f"about {duration(total(times, side))} for {count} cells, {side} at a time{without}")


def _time_of(one: "MethodTime") -> str:
    """Return ``42 s: 600 steps of 0.06 s (backward 55 %, forward 30 %), … (3 records …)``."""
    if one.cell_s is None:
        return f"not known ({one.basis})"
    parts = sorted(one.shares.items(), key=lambda share: -share[1])
    shares = ", ".join(f"{name} {100 * share:.0f} %" for name, share in parts)
    text = duration(one.cell_s)
    if one.steps:
        text += f": {one.steps} steps of {one.step_s:.3g} s" + f" ({shares})" * bool(shares)
        text += f", then {duration(one.embed_s)} of embedding"
        text += f"; {one.limit} limits" * bool(one.limit)
    return f"{text} ({one.basis})"


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
