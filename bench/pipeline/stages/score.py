"""Stage score: write one record for every trained or failed cell, and the training curves."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.config.paths import Layout
from bench.config.profile import Config
from bench.errors import UserError
from bench.evaluation.cell_record import cell_record, failure_record, replaced
from bench.evaluation.score_cell import mean_curve
from bench.experiments.plan import PlannedCell, plan
from bench.experiments.record import FailuresFile, Run, own_record, write_record
from bench.utils.io import write_text
from bench.utils.terminal import track


def run(config: Config, layout: Layout) -> None:
    """Write ``results/records/<profile>`` from ``runs/<profile>`` and ``splits/<profile>``.

    Deletes the records of cells that the profile no longer asks for. A cell without a run or a
    failure keeps its record, and so does one whose record is newer than its run.
    """
    listed = FailuresFile.read(layout.runs / "failures.json")
    tried = listed.root if listed else {}
    planned = {c.cell: c for c in plan(config, layout, readings=True)}
    failures = {cell: one for cell, one in tried.items() if _is_wanted(cell, planned)}
    finished = [path for path in layout.finished_cells() if _is_wanted(path.name, planned)]
    stale: list[str] = []
    damaged: list[str] = []
    failed = 0
    for folder in track(finished, len(finished), "scoring"):
        try:
            if _is_older(layout, folder, planned.get(folder.name)):
                stale.append(folder.name)
            else:
                write_record(layout.records, cell_record(config, layout, folder))
        except UserError as error:  # an earlier record stays: its files were undamaged
            damaged.append(str(error))
        except (ValueError, LookupError) as error:
            damaged.append(
                f"{folder}: its files do not match each other or the splits ({error}); run "
                "'bench train', or delete the folder"
            )
    for cell, failure in failures.items():
        now = planned.get(cell)
        if now and failure.parts != now.parts and _is_current(layout, now):
            stale.append(cell)
            continue
        failed += 1
        write_record(layout.records, failure_record(config, failure))
    for path in layout.records.glob("*.json"):
        if not _is_wanted(path.stem, planned):
            path.unlink()
    _write_curves(layout, finished, planned)
    done = len(finished) + len(failures) - failed - len(damaged) - len(stale)
    print(f"{done} cells scored, {failed} failed")
    if stale:
        print(
            f"runs older than their records, which were kept: {len(stale)} ({stale[0]}, …); "
            "'bench train' brings them up to date"
        )
    if damaged:
        more = f" (and {len(damaged) - 1} more cells)" if len(damaged) > 1 else ""
        raise UserError(f"{damaged[0]}{more}; the other cells are scored")


def _is_wanted(cell: str, planned: Mapping[str, PlannedCell]) -> bool:
    """Tell whether a cell is scored and keeps its record.

    A checkpoint may be imported on another machine only, so its record is deleted by hand.
    """
    return cell in planned or "+checkpoint=" in cell


def _write_curves(
    layout: Layout, finished: Sequence[Path], planned: Mapping[str, PlannedCell]
) -> None:
    """Write the mean training curve of each row; a row without runs here keeps its curve."""
    layout.curves.mkdir(parents=True, exist_ok=True)
    logs: dict[str, list[Path]] = {}
    for folder in finished:
        cell = planned.get(folder.name)
        if cell and _is_current_run(folder, cell):
            logs.setdefault(cell.row, []).append(folder / "log.csv")
    for row, paths in logs.items():
        try:
            text = mean_curve(paths)
        except (ValueError, TypeError, KeyError):
            continue  # a damaged log: its cell is reported as damaged
        if text:
            write_text(layout.curves / f"{row}.csv", text)
    rows = {cell.row for cell in planned.values()}
    for old in layout.curves.glob("*.csv"):
        if old.stem not in rows:
            old.unlink()


def _is_current_run(folder: Path, planned: PlannedCell) -> bool:
    try:
        run = Run.read(folder / "run.json")
    except UserError:  # damaged: its cell is reported as damaged
        return False
    return run is not None and run.fingerprint == planned.fingerprint


def _is_older(layout: Layout, folder: Path, planned: PlannedCell | None) -> bool:
    """Tell whether a run is outdated and its record is not (it came by git, from another clone)."""
    run = Run.read(folder / "run.json")
    if run is None:
        raise replaced(folder)
    if planned is None or run.fingerprint == planned.fingerprint:
        return False
    return _is_current(layout, planned)


def _is_current(layout: Layout, planned: PlannedCell) -> bool:
    """Tell whether a cell's record was made with the present code, parameters and data."""
    path = layout.records / f"{planned.cell}.json"
    try:
        return path.is_file() and own_record(path).fingerprint == planned.fingerprint
    except UserError:  # damaged, or of another cell: it is written again
        return False
