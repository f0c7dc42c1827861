"""``bench`` alone: where you are, what is there, and the next command to type."""

from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli.status import all_cells, counted
from bench.errors import UserError
from bench.utils.terminal import print_pairs, print_title

if TYPE_CHECKING:
    from bench.config.paths import Layout
    from bench.config.profile import Config
    from bench.reports.tables.cell_states import Cell

Pairs = list[tuple[str, str]]
OUTSIDE = """\
AURL-Bench: a reproducibility benchmark for zero-shot video classification.
No project is here (no params.yaml and dvc.yaml in this folder or above)."""


def overview(commands: Collection[str]) -> None:
    """Print profile, data, cells, tables and report, then what to do next.

    ``commands`` are those that this version has: no other one is named.
    """
    from bench.cli.stages import opened
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
