"""The state of every cell: planned against recorded, current against outdated."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.data.formats.input_files import COMPUTED
from bench.experiments.plan import TRANSFER, PlannedCell, code_parts
from bench.experiments.record import Record
from bench.reports.tables.context import TableContext


@dataclass(frozen=True)
class Cell:
    """One cell. ``state``: ok, outdated, failed, broken, missing, not run, not planned, no file."""

    about: PlannedCell | Record  # which one it is: a planned cell, or a record of an unplanned row
    state: str
    reason: str = ""
    record: Record | None = None  # only of a cell whose numbers are shown


# Parts that a clone without data may not know.
_OF_DATA = ("data", "words", "split", "input ", COMPUTED)


def _differing(expected: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """Name the parts that both sides have and that differ."""
    return sorted(key for key in expected.keys() & found if expected[key] != found[key])


def changed(expected: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """Name the parts in which a record is ``found`` to differ from what its cell has now.

    What a clone without data does not know of its own cells is not compared.
    """
    compared = expected.keys() | {key for key in found if not key.startswith(_OF_DATA)}
    return sorted(
        key
        for key in compared
        if expected.get(key) != found.get(key) and not key.startswith(COMPUTED)
    )


def elsewhere(expected: Mapping[str, str], found: Mapping[str, str]) -> str:
    """Say which inputs of a record a network computed on another type of machine; "" if none."""
    both = expected.keys() & found
    names = [key for key in both if key.startswith(COMPUTED) and expected[key] != found[key]]
    inputs = ", ".join(sorted(name.removeprefix(COMPUTED) for name in names))
    return inputs and f"{inputs} computed on another machine"


def _digests(record: Record) -> dict[str, str]:
    """Name what must be the same in all records of one table."""
    parts = {f"data of {name}": value for name, value in record.data.items()}
    parts |= {f"data of {name}": seen.digest for name, seen in record.coverage.items()}
    parts |= {f"split {scope}": value for scope, value in record.split_digests.items()}
    trained = f"training split {record.split}"
    named = {"words": f"words of {_scope(record)}", "split": trained}
    return parts | {named[key]: record.parts[key] for key in named.keys() & record.parts}


def _scope(record: Record) -> str:
    """Name the training splits that share their data sets and words."""
    checkpoint = record.split == TRANSFER and "checkpoint" in record.reading
    return "checkpoints" if checkpoint else record.split.split(".")[0]


def _reference(context: TableContext, records: Iterable[Record]) -> dict[str, str]:
    """Return the digest that counts for each data set and split.

    For a split it is that of its file; else what most records have (of a tie, the latest).
    """
    votes: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        for name, value in _digests(record).items():
            votes[name][value].append(record.started)
    reference = {}
    for name, times in votes.items():
        file = (
            context.split_file(name.removeprefix("split ")) if name.startswith("split ") else None
        )
        most = max(times, key=lambda value: (len(times[value]), max(times[value]), value))
        reference[name] = file.digest if file else most
    return reference


def _planned(planned: PlannedCell, record: Record | None) -> Cell:
    if planned.problem:
        return Cell(planned, "broken", planned.problem)
    if planned.missing:
        return Cell(planned, "missing", planned.missing)
    if record is None:
        return Cell(planned, "not run")
    if differs := changed(planned.parts, record.parts):
        return Cell(planned, "outdated", ", ".join(differs))
    if record.status != "ok":
        return Cell(planned, record.status, record.reason)
    return Cell(planned, "ok", elsewhere(planned.parts, record.parts), record)


def _now(context: TableContext, record: Record) -> dict[str, str]:
    """Return what a record that nothing plans must have of its method's present code and settings.

    Nothing if no file makes the method any more.
    """
    file = context.files.get(record.method)
    if file is None:
        return {}
    parts = code_parts(file, file.path.parents[1])
    planned = [one for one in context.planned if one.method == record.method and not one.reading]
    if planned and "checkpoint" not in record.reading:
        parts["settings"] = planned[0].parts["settings"]
    return parts


def _unplanned(context: TableContext, records: Sequence[Record]) -> Iterator[Cell]:
    """Yield the cells of a row that nothing plans: those made as its latest one was, or outdated.

    What belongs to the data is compared over all rows (see ``_digests``).
    """
    now = _now(context, records[0])
    state = "not planned" if now else "no file"
    latest: dict[str, dict[str, str]] = defaultdict(dict)
    for record in sorted(records, key=lambda record: record.started):
        latest[_scope(record)] |= record.parts
    for record in records:
        differs = changed(latest[_scope(record)] | now, record.parts)
        if record.status != "ok":
            yield Cell(record, state)
        elif differs := [part for part in differs if not part.startswith(_OF_DATA)]:
            yield Cell(record, "outdated", ", ".join(differs))
        else:
            yield Cell(record, state, record=record)


def cells(context: TableContext) -> list[Cell]:
    """Return the planned cells in order, then those of records whose row is no longer planned.

    Records of different data or split digests are never both current: see ``_reference``.
    A record of a planned row that is not one of its planned cells (a dropped seed) is left out.
    """
    recorded = {record.cell: record for record in context.records}
    result = [_planned(planned, recorded.get(planned.cell)) for planned in context.planned]
    rows = {planned.row for planned in context.planned}
    unplanned: dict[str, list[Record]] = defaultdict(list)
    for record in context.records:
        if record.row not in rows:
            unplanned[record.row].append(record)
    result += [cell for row in unplanned.values() for cell in _unplanned(context, row)]
    planned = [cell.record for cell in result if cell.record and cell.state == "ok"]
    reference = _reference(context, planned or [cell.record for cell in result if cell.record])

    def checked(cell: Cell) -> Cell:
        wrong = _differing(reference, _digests(cell.record)) if cell.record else []
        return Cell(cell.about, "outdated", ", ".join(wrong)) if wrong else cell

    return [checked(cell) for cell in result]
