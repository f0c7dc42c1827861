"""The state of every cell: planned against recorded, current against outdated."""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

from bench.errors import UserError
from bench.records import Record
from bench.tables.context import TableContext


@dataclass(frozen=True)
class Cell:
    """One cell. ``state``: ok, outdated, failed, broken, missing, not run, or no file.

    Only the record of a cell that is ``ok`` (or ok with ``no file``) may enter a number.
    """

    name: str
    row: str
    split: str
    seed: int
    state: str
    reason: str = ""
    record: Record | None = None


def read_splits(context: TableContext, name: str) -> Any | None:
    """Read ``<name>.json`` of the profile's split folder; ``None`` if it is not there yet."""
    path = context.splits / f"{name}.json"
    keys = {"train", "tau", "classes"} if name == "overlap" else {"definition", "splits"}
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        lacking = sorted((keys | {"digest"}) - set(stored))
        if lacking:
            raise ValueError(f"without {', '.join(lacking)}")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{path}: unreadable ({error}); delete it and run 'dvc repro'") from error
    return stored


def _digests(record: Record) -> dict[str, str]:
    data = {f"data of {name}": seen.digest for name, seen in record.coverage.items()}
    return data | {f"split {scope}": value for scope, value in record.split_digests.items()}


def _reference(context: TableContext, records: list[Record]) -> dict[str, str]:
    """Return the digest that counts for each data set and split.

    For a split it is that of its file; else what most records have (of a tie, the latest).
    """
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    latest: dict[tuple[str, str], str] = {}
    for record in records:
        for name, value in _digests(record).items():
            votes[name][value] += 1
            latest[name, value] = max(latest.get((name, value), ""), record.started)
    reference = {}
    for name, counts in votes.items():
        reference[name] = max(counts, key=lambda v: (counts[v], latest[name, v], v))
        if name.startswith("split "):
            stored = read_splits(context, name.removeprefix("split "))
            if stored is not None:
                reference[name] = stored["digest"]
    return reference


def outdated_because(planned: dict[str, str], recorded: dict[str, str]) -> list[str]:
    """Name the fingerprint's parts that both sides have and that differ."""
    return sorted(key for key in planned.keys() & recorded if planned[key] != recorded[key])


def cells(context: TableContext) -> list[Cell]:
    """Return the planned cells in order, then those of records whose row is no longer planned.

    Records of different data or split digests are never both current: see ``_reference``.
    A record of a planned row that is not one of its planned cells (a dropped seed) is left out.
    """
    found = {record.cell: record for record in context.records}
    result = []
    for cell in context.planned:
        record = found.pop(cell.cell, None)
        state, reason = "not run", ""
        if cell.problem:
            state, reason = "broken", cell.problem
        elif record is not None:
            state, reason = record.status, record.reason
            changed = outdated_because(dict(cell.parts), record.parts)
            if state == "ok" and changed:
                state, reason = "outdated", ", ".join(changed)
        result.append(Cell(cell.cell, cell.row, cell.split, cell.seed, state, reason, record))
    rows = {cell.row for cell in context.planned}
    for name, record in found.items():
        if record.row not in rows:
            kept = record if record.status == "ok" else None
            result.append(Cell(name, record.row, record.split, record.seed, "no file", "", kept))
    current = [cell.record for cell in result if cell.state == "ok" and cell.record]
    current = current or [cell.record for cell in result if cell.state == "no file" and cell.record]
    reference = _reference(context, current)
    return [_checked(cell, reference) for cell in result]


def _checked(cell: Cell, reference: dict[str, str]) -> Cell:
    if cell.record is None or cell.state not in ("ok", "no file"):
        return cell
    have = _digests(cell.record)
    wrong = sorted(name for name in have.keys() & reference if have[name] != reference[name])
    if not wrong:
        return cell
    return Cell(
        cell.name, cell.row, cell.split, cell.seed, "outdated", ", ".join(wrong), cell.record
    )
