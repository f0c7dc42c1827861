"""``bench``, ``bench status`` and ``bench doctor``: what is done, what is missing, what is next."""

import sys
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli.options import AsJson, Profile, TextFormat, opened
from bench.cli.output import is_json, print_json
from bench.config.paths import Layout, find_root
from bench.errors import UserError
from bench.utils.io import lock_holder
from bench.utils.terminal import (
    console,
    duration,
    on_terminal,
    print_hanging,
    print_pairs,
    print_title,
    shown,
)

if TYPE_CHECKING:
    from bench.config.profile import Config
    from bench.pipeline.time_left import MethodTime
    from bench.reports.tables.rows import Cell

# State of a cell -> word and colour in the output.
STATES = {
    "ok": ("done", "green"),
    "not run": ("to train", "cyan"),
    "outdated": ("outdated", "yellow"),
    "failed": ("failed", "bold red"),
    "broken": ("broken", "bold red"),
    "missing": ("skipped", "magenta"),
    "not planned": ("not planned", "magenta"),
    "no file": ("no file", "magenta"),
}
OUTSIDE = """\
AURL-Bench: a reproducibility benchmark for zero-shot video classification.
No project is here (no params.yaml and dvc.yaml in this folder or above)."""
Pairs = list[tuple[str, str]]


def status(
    eta: Annotated[
        bool,
        typer.Option(
            "--eta", help="Estimate the time of 'bench train'; may run a few training steps."
        ),
    ] = False,
    jobs: Annotated[
        int,
        typer.Option("--jobs", "-j", min=0, help="With --eta: cells that train in parallel."),
    ] = 0,
    as_json: AsJson = False,
    profile: Profile = None,
) -> None:
    """Count the cells of each row that are done, failed, outdated or not run.

    Example: bench status --profile ucf15
    """
    config, layout = opened(profile)
    cells = _all_cells(config, layout)
    times: list[MethodTime] = []
    parallel = 1
    if eta:
        from bench.pipeline.time_left import remaining_times

        def tell(method: str) -> None:
            print(f"timing {method}", file=sys.stderr, flush=True)

        times, parallel = remaining_times(config, layout, jobs, tell)
    if as_json:
        print_json(_status_json(config, cells) | (_eta_json(times, parallel) if eta else {}))
        return
    _print_status(config, cells)
    if eta:
        _print_times(times, parallel)


def doctor(
    profile: Profile = None,
    fmt: TextFormat = "text",
    as_json: AsJson = False,
) -> None:
    """Check what a run needs.

    The exit code is 1 if something is missing.

    Example: bench doctor --profile paper
    """
    from bench.pipeline.doctor import MISSING, examine

    as_json = is_json(fmt, as_json)
    config, layout = opened(profile)
    findings = examine(config, layout)
    missing = sum(one.state == MISSING for one in findings)
    if not as_json:
        print(f"profile {config.name}: {config.profile.title}")
        for one in findings:
            text = "; ".join(filter(None, (one.detail, one.how)))
            print_hanging(f"{one.state:<8} {one.what}: {text}", 9)
    if as_json:
        print_json(
            {
                "profile": config.name,
                "ready": not missing,
                "findings": [asdict(one) for one in findings],
            }
        )
    else:
        print(f"{missing} missing: the run cannot start" if missing else "ready: run 'dvc repro'")
    if missing:
        raise typer.Exit(1)


def overview(commands: Collection[str]) -> None:
    """Print the state of the project and what to do next; suggest only ``commands`` that exist."""
    try:
        find_root()
    except UserError:
        print(OUTSIDE)
        _print_next(
            [
                ("cd FOLDER", "go to a checkout or a project"),
                ("bench new", "create a project, in an empty folder"),
                ("bench --help", "list all commands"),
            ]
        )
        return
    config, layout = opened(None)
    print_title(f"profile {config.name}: {config.profile.title}")
    cells, problem = [], ""
    try:
        cells = _all_cells(config, layout)
    except UserError as error:  # splits that are not built, a damaged record
        problem = str(error)
    print_pairs(_facts(config, layout, cells, problem), style="", indent=2)
    steps = [*_next_steps(config, layout, cells, problem), ("bench --help", "list all commands")]
    names = {"bench --help", *(f"bench {command}" for command in commands)}
    _print_next([one for one in steps if " ".join(one[0].split()[:2]) in names or "dvc" in one[0]])


def _all_cells(config: "Config", layout: Layout) -> "list[Cell]":
    """Return every planned or recorded cell with its state."""
    from bench.reports.tables.context import read_context
    from bench.reports.tables.rows import cells

    return cells(read_context(config, layout))


def _print_status(config: "Config", cells: "Sequence[Cell]") -> None:
    rows: dict[str, Counter[str]] = {}
    reasons: dict[str, str] = {}
    for cell in cells:
        rows.setdefault(cell.about.row, Counter())[cell.state] += 1
        if cell.reason:
            reasons.setdefault(f"{cell.about.row} {cell.state}", cell.reason)
    print_title(f"profile {config.name}: {config.profile.title}")
    if on_terminal():
        _print_counts(rows, {cell.about.row: cell.about.label for cell in cells})
        print(_counted(cells))
        print_pairs(reasons.items(), indent=2)
        return
    width = max(map(len, rows), default=0)
    for row, counts in rows.items():
        states = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
        print(f"{row:<{width}}  {states}")
    for what, reason in reasons.items():
        print(f"  {what}: {reason}")


def _print_counts(rows: dict[str, Counter[str]], labels: dict[str, str]) -> None:
    from rich import box
    from rich.table import Table

    states = [state for state in STATES if any(counts[state] for counts in rows.values())]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("row", overflow="fold")
    table.add_column("label", overflow="fold")
    for state in states:
        table.add_column(STATES[state][0], justify="right", no_wrap=True)
    for row, counts in rows.items():
        numbers = [shown(str(counts[s] or ""), STATES[s][1]) for s in states]
        table.add_row(shown(row), shown(labels[row]), *numbers)
    console().print(table)


def _counted(cells: "Sequence[Cell]") -> str:
    """Return ``107 done, 2 skipped``; ``none`` for no cells."""
    counts = Counter(cell.state for cell in cells)
    found = [f"{counts[state]} {word}" for state, (word, _) in STATES.items() if counts[state]]
    return ", ".join(found) or "none"


def _status_json(config: "Config", cells: "Sequence[Cell]") -> dict[str, Any]:
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


def _eta_json(times: "Sequence[MethodTime]", parallel: int) -> dict[str, Any]:
    from bench.pipeline.time_left import total

    methods = [asdict(one) | {"limit": one.limit} for one in times]
    return {
        "eta": {"seconds": total(times, parallel), "side_by_side": parallel, "methods": methods}
    }


def _print_times(times: "Sequence[MethodTime]", parallel: int) -> None:
    """Print the time of each method and of all cells."""
    from bench.pipeline.time_left import total

    if not times:
        print("\nnothing to train")
        return
    print("\ntime of the cells to train")
    width = max(len(one.method) for one in times)
    for one in times:
        print(f"{one.method:<{width}}  {one.cells} × {_time_of(one)}")
    count = sum(one.cells for one in times)
    without = sum(one.cells for one in times if one.cell_s is None)
    more = f", without {without} whose time is not known" if without else ""
    print(f"about {duration(total(times, parallel))} for {count} cells, {parallel} at a time{more}")


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
        text += f"; limited by {one.limit}" * bool(one.limit)
    return f"{text} ({one.basis})"


def _print_next(steps: Pairs) -> None:
    print_title("next")
    print_pairs(steps, style="bold cyan", indent=2)


def _is_optional(config: "Config", cell: "Cell") -> bool:
    """Return whether the cell is of an alternative reading, which `dvc repro` does not train."""
    reading = cell.about.reading
    return bool(reading) and "checkpoint" not in reading and not config.readings.run


def _facts(config: "Config", layout: Layout, cells: "list[Cell]", problem: str) -> Pairs:
    sets = config.profile.datasets
    built = sum((layout.index / f"{name}.json").is_file() for name in sets)
    data = f"{built} of {len(sets)} data sets indexed" if built else "not built here"
    if missing := _missing_data(config, layout):
        data += f"; not found: {', '.join(missing)}"
    own = [cell for cell in cells if not _is_optional(config, cell)]
    counts = _counted(own)
    if any(cell.state == "missing" for cell in own):
        counts += " (inputs not configured in this profile, see 'bench status')"
    facts = [("data", data), ("cells", problem or counts)]
    if len(own) < len(cells):
        facts.append(("readings", _counted([c for c in cells if _is_optional(config, c)])))
    if process := lock_holder(layout.scratch / "train.lock"):
        done = len(layout.finished_cells())
        text = f"running as process {process}; {done} cells in runs/{layout.profile}"
        facts.append(("training", text))
    tables = len(list(layout.tables.glob("*.md")))
    folder = layout.tables.relative_to(layout.root)
    facts.append(("tables", f"{tables} in {folder}" if tables else "none yet"))
    report = layout.root / "results" / "report" / "index.html"
    facts.append(("report", str(report.relative_to(layout.root)) if report.is_file() else "none"))
    return facts


def _missing_data(config: "Config", layout: Layout) -> list[str]:
    """Return the data folders and files that the profile names and that do not exist."""
    named = [one.root or one.file for one in config.profile.datasets.values() if not one.generate]
    return [
        str(path) for path in dict.fromkeys(named) if path and not (layout.root / path).exists()
    ]


def _next_steps(
    config: "Config", layout: Layout, cells: "list[Cell]", problem: str
) -> Iterator[tuple[str, str]]:
    """Yield the commands to type next, the most urgent first."""
    counts = Counter(cell.state for cell in cells if not _is_optional(config, cell))
    failed, waiting = counts["failed"] + counts["broken"], counts["not run"] + counts["outdated"]
    built = all((layout.index / f"{name}.json").is_file() for name in config.profile.datasets)
    if not built and _missing_data(config, layout):
        yield "bench doctor", "list what this profile needs and where to get it"
    elif problem and built:
        yield "bench status", "see what is wrong with a record or a split file"
    elif failed:
        yield "bench status", f"see why {failed} cells failed"
        yield "dvc repro", "train only those again, once that is fixed"
    elif not built:
        work = "build the data, train, write the tables"
        old = "; until then, results are the committed ones" if counts["ok"] else ""
        yield "dvc repro", f"{work}{old}"
    elif waiting:
        yield "dvc repro", f"train {waiting} cells that are new or outdated, write the tables"
    if counts["ok"]:
        yield "bench table", "print the ablation; --which sota: every system"
        yield "bench report", "write a page with all tables and figures"
        if not waiting and not failed:
            yield "bench verify NAME", "train a recorded cell again and compare"
    yield "bench new NAME", "start a method of your own"
