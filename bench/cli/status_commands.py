"""``bench``, ``bench status`` and ``bench doctor``: what is done, what is missing, what is next."""

import sys
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli.options import AsJson, Profile, TextFormat, opened
from bench.cli.output import is_json, print_json
from bench.config.paths import Layout
from bench.errors import UserError
from bench.utils.progress import duration
from bench.utils.terminal import (
    console,
    on_terminal,
    print_hanging,
    print_pairs,
    print_title,
    shown,
)

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
        print_json(_status_json(config, found) | (_eta_value(times, side) if eta else {}))
        return
    _print_status(config, found)
    if eta:
        _show_times(times, side)


def _print_status(config: "Config", found: "Sequence[Cell]") -> None:
    rows: dict[str, Counter[str]] = {}
    reasons: dict[str, str] = {}
    for cell in found:
        rows.setdefault(cell.about.row, Counter())[cell.state] += 1
        if cell.reason:
            reasons.setdefault(f"{cell.about.row} {cell.state}", cell.reason)
    print_title(f"profile {config.name}: {config.profile.title}")
    if on_terminal():
        labels = {cell.about.row: cell.about.label for cell in found}
        _status_table(
            rows, labels, [state for state in STATES if any(rows[r][state] for r in rows)]
        )
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
    from bench.reports.tables.cell_states import cells
    from bench.reports.tables.context import read_context

    return cells(read_context(config, layout))


def counted(cells: "Sequence[Cell]") -> str:
    """Return ``107 done, 2 missing``; ``none`` for no cells."""
    counts = Counter(cell.state for cell in cells)
    return (
        ", ".join(f"{counts[s]} {word}" for s, (word, _) in STATES.items() if counts[s]) or "none"
    )


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


def _times(config: "Config", layout: "Layout", jobs: int) -> "tuple[list[MethodTime], int]":
    from bench.experiments.plan import plan
    from bench.experiments.run_folder import is_done
    from bench.pipeline.time_left import method_times
    from bench.utils.machine import side_by_side

    able = [c for c in plan(config, layout, config.readings.run) if not c.missing and not c.problem]
    left = [cell for cell in able if not is_done(layout, cell)]

    def tell(method: str) -> None:
        print(f"timing {method}", file=sys.stderr, flush=True)

    return method_times(config, layout, left, tell), side_by_side(
        config.profile.train.device, jobs
    )[0]


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


def _status_table(rows: dict[str, Counter[str]], labels: dict[str, str], states: list[str]) -> None:
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


def doctor(
    profile: Profile = None,
    fmt: TextFormat = "text",
    as_json: AsJson = False,
    timed: Annotated[
        bool, typer.Option("--time/--no-time", help="Time a step to say how long the run takes.")
    ] = True,
) -> None:
    """Say what a run needs and how long it takes; exit code 1 if something is missing.

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
            print_hanging(
                f"{one.state:<8} {one.what}: {'; '.join(filter(None, (one.detail, one.how)))}", 9
            )
    time, said = _run_time(config, layout) if timed else (None, "")
    if as_json:
        value = {
            "profile": config.name,
            "ready": not missing,
            "findings": [asdict(one) for one in findings],
            "time": time,
            "time_said": said,
        }
        print_json(value)
    else:
        if said:
            print_hanging(f"time     {said}", 9)
        print(f"{missing} missing: the run cannot start" if missing else "ready: 'dvc repro'")
    if missing:
        raise typer.Exit(1)


def _run_time(config: "Config", layout: Layout) -> tuple[dict[str, Any] | None, str]:
    """Return the time of a run and its line; an error in timing does not end the report."""
    from bench.pipeline.doctor import cells_to_train
    from bench.utils.machine import side_by_side

    try:
        from bench.pipeline.time_left import rough_times, total

        cells, _ = cells_to_train(config, layout)
        if not cells:
            return None, "nothing to train"
        times, step = rough_times(config, layout, cells)
    except Exception as error:  # a method's own error, too little memory, a broken torch
        return None, f"not known: {' '.join(str(error).split())[:200]}"
    side, gpus = side_by_side(config.profile.train.device)
    basis = "records of this machine"
    if step:
        train = config.profile.train
        known = [one.method for one in times if one.basis]
        basis = (
            f"{step.method} on {step.device}: {step.step_s:.3g} s a step of {train.batch}, timed "
            f"at {step.timed_batch} on random input, × {train.steps} steps; without reading videos"
        )
        basis += f"; {len(known)} methods by records of this machine" * bool(known)
    seconds, count = total(times, side), cells.total()
    time = {"seconds": seconds, "side_by_side": side, "cells": count, "basis": basis}
    on = f"{side} at a time" if not gpus else f"{gpus} GPU{'s' * (gpus > 1)}"
    return time, f"about {duration(seconds)} for {count} cells, {on} ({basis})"


Pairs = list[tuple[str, str]]
OUTSIDE = """\
AURL-Bench: a reproducibility benchmark for zero-shot video classification.
No project is here (no params.yaml and dvc.yaml in this folder or above)."""


def overview(commands: Collection[str]) -> None:
    """Print profile, data, cells, tables and report, then what to do next.

    ``commands`` are those that this version has: no other one is named.
    """
    from bench.cli.options import opened
    from bench.config.paths import find_root

    try:
        find_root()
    except UserError:
        print(OUTSIDE)
        _print_next(
            [
                ("cd FOLDER", "go into a checkout or a project"),
                ("bench new", "in an empty folder: start a project"),
                ("bench --help", "every command"),
            ]
        )
        return
    config, layout = opened(None)
    print_title(f"profile {config.name}: {config.profile.title}")
    cells, problem = _cells(config, layout)
    print_pairs(_facts(config, layout, cells, problem), style="", indent=2)
    steps = [*_steps(config, layout, cells, problem), ("bench --help", "every command")]
    names = {"bench", "dvc", *(f"bench {command}" for command in commands), "bench --help"}
    _print_next([one for one in steps if " ".join(one[0].split()[:2]) in names or "dvc" in one[0]])


def _print_next(steps: Pairs) -> None:
    print_title("next")
    print_pairs(steps, style="bold cyan", indent=2)


def _cells(config: "Config", layout: "Layout") -> "tuple[list[Cell], str]":
    """Return every cell, or none and why: splits that are not built, a damaged record."""
    try:
        return all_cells(config, layout), ""
    except UserError as error:
        return [], str(error)


def _optional(config: "Config", cell: "Cell") -> bool:
    """Tell whether `dvc repro` leaves the cell alone: an alternative reading, not asked for."""
    reading = cell.about.reading
    return bool(reading) and "checkpoint" not in reading and not config.readings.run


def _facts(config: "Config", layout: "Layout", cells: "list[Cell]", problem: str) -> Pairs:
    sets = config.profile.datasets
    built = sum((layout.index / f"{name}.json").is_file() for name in sets)
    data = f"{built} of {len(sets)} data sets indexed" if built else "not built here"
    lacking = _lacking(config, layout)
    if lacking:
        data += f"; not found: {', '.join(lacking)}"
    tables = len(list(layout.tables.glob("*.md")))
    report = layout.root / "results" / "report" / "index.html"
    own = [cell for cell in cells if not _optional(config, cell)]
    lacks = "; missing: an input that the profile does not give (bench status)"
    said = counted(own) + lacks * any(cell.state == "missing" for cell in own)
    facts = [("data", data), ("cells", problem or said)]
    if len(own) < len(cells):
        other = [cell for cell in cells if _optional(config, cell)]
        facts.append(("readings", counted(other)))
    if training := _in_training(layout):
        facts.append(("training", training))
    folder = layout.tables.relative_to(layout.root)
    facts.append(("tables", f"{tables} in {folder}" if tables else "none yet"))
    facts.append(("report", str(report.relative_to(layout.root)) if report.is_file() else "none"))
    return facts


def _lacking(config: "Config", layout: "Layout") -> list[str]:
    """Return the folders and files of data that the profile names and that are not there."""
    named = [one.root or one.file for one in config.profile.datasets.values() if not one.generate]
    paths = [(path, layout.root / path) for path in dict.fromkeys(named) if path]
    return [str(path) for path, place in paths if not place.exists()]


def _in_training(layout: "Layout") -> str:
    """Return who holds the lock of training, "" for nobody; asked without touching the lock."""
    lock, held = layout.scratch / "train.lock", Path("/proc/locks")
    if not (lock.is_file() and held.is_file()):
        return ""
    inode = lock.stat().st_ino
    for line in held.read_text().splitlines():
        words = line.split()
        if len(words) > 5 and words[1] == "FLOCK" and words[5].endswith(f":{inode}"):
            done = len(layout.finished_cells())
            return f"runs now, as process {words[4]}; {done} cells lie in runs/{layout.profile}"
    return ""


def _steps(
    config: "Config", layout: "Layout", cells: "list[Cell]", problem: str
) -> Iterator[tuple[str, str]]:
    """Yield what to type next, the first thing first."""
    counts = Counter(cell.state for cell in cells if not _optional(config, cell))
    failed, waiting = counts["failed"] + counts["broken"], counts["not run"] + counts["outdated"]
    built = all((layout.index / f"{name}.json").is_file() for name in config.profile.datasets)
    if not built and _lacking(config, layout):
        yield "bench doctor", "what this profile lacks here, and where to get it"
    elif problem and built:
        yield "bench status", "what is wrong with a record or a split file"
    elif failed:
        yield "bench status", f"why {failed} of the cells failed"
        yield "dvc repro", "when that is mended: trains them again, and nothing else"
    elif not built:
        work = "make the data, train, write the tables"
        old = "; until then everything below shows the committed results" if counts["ok"] else ""
        yield "dvc repro", f"{work}{old}"
    elif waiting:
        yield "dvc repro", f"train {waiting} cells that are not run or outdated; the tables"
    if counts["ok"]:
        yield "bench table", "the ablation; --which sota: every system"
        yield "bench report", "everything on one page, with figures"
        if counts["ok"] and not waiting and not failed:
            yield "bench verify NAME", "train a recorded cell again: is the number real?"
    yield "bench new NAME", "start a method of your own"
