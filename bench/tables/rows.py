"""One neutral row per method or reading: what was published, what was measured, in which state."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from typing import Any

from bench.config import ONE_SPLIT
from bench.facts import Published, published
from bench.records import Record
from bench.stats import Spread, spread
from bench.tables.cells import Cell, cells
from bench.tables.context import TRANSFER, TableContext

MISSING = "—"
_WORST_FIRST = ("broken", "failed", "missing", "outdated", "not run", "no file")


@dataclass(frozen=True)
class Row:
    """A row of any table. A *unit* is what is repeated: a seed, or a draw of the classes."""

    name: str
    method: str
    label: str
    status: str  # ok, partial, outdated, failed, broken, missing, not run, no file, quoted
    state: str  # the status as the table's last column says it
    reading: dict[str, Any] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)  # the full reasons, for the foot of a table
    records: list[Record] = field(default_factory=list)  # current and ok
    values: dict[str, dict[str, float]] = field(default_factory=dict)  # metric -> unit -> value
    planned: dict[str, int] = field(default_factory=dict)  # units that the plan asks for
    published: dict[str, Published] = field(default_factory=dict)  # metric -> number

    def spread(self, key: str) -> Spread | None:
        """Return mean, deviation and n of one metric over its units, ``None`` if not measured."""
        values = self.values.get(key)
        return spread(list(values.values())) if values else None

    def only(self, protocol: str) -> "Row":
        """Return the row with the numbers of one protocol alone."""

        def part(numbers: dict[str, Any]) -> dict[str, Any]:
            return {key: value for key, value in numbers.items() if key.split(".")[1] == protocol}

        return replace(self, values=part(self.values), published=part(self.published))

    def repeats(self, keys: list[str]) -> str:
        """Return over how many units the metrics were taken: ``3``, or ``2/3`` if some lack."""
        texts = []
        for key in keys:
            done = len(self.values.get(key, {}))
            planned = self.planned.get(key.rpartition(".")[0], self.planned.get(TRANSFER, done))
            texts.append(f"{done}/{planned}" if done < planned else str(done))
        return ", ".join(dict.fromkeys(texts)) if self.planned or self.values else MISSING

    def coverage(self) -> dict[str, dict[str, int]]:
        """Return, for each data set, scored and expected videos of its least complete record."""
        worst: dict[str, dict[str, int]] = {}
        for record in self.records:
            for name, seen in record.coverage.items():
                lost = seen.expected - seen.scored
                before = worst.get(name)
                if before is None or lost > before["expected"] - before["scored"]:
                    worst[name] = {"scored": seen.scored, "expected": seen.expected}
        return worst

    def as_json(self) -> dict[str, Any]:
        """Return the row for ``--format json``."""
        metrics = {}
        for key in (*self.published, *(key for key in self.values if key not in self.published)):
            found, quoted = self.spread(key), self.published.get(key)
            metrics[key] = {
                "mean": found.mean if found else None,
                "std": found.std if found else None,
                "n": found.n if found else 0,
                "published": quoted.value if quoted else None,
            }
        return {
            "method": self.method,
            "row": self.name,
            "label": self.label,
            "status": self.status,
            "state": self.state,
            "reading": self.reading,
            "metrics": metrics,
            "coverage": self.coverage(),
            "reasons": self.reasons,
        }


def _unit(one: Record | Cell) -> str:
    """Return what a cell repeats: a seed, or a draw of the classes."""
    by_seed = one.split == TRANSFER or one.split.split(".")[1] in ONE_SPLIT
    return f"seed{one.seed}" if by_seed else one.split


def _values(records: list[Record]) -> dict[str, dict[str, float]]:
    """Return metric -> unit -> value; a draw that was run with several seeds counts once."""
    runs: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        unit = _unit(record)
        for key, value in record.metrics.items():
            if (
                key.startswith("seen.") and record.split != TRANSFER
            ):  # the seen classes of one draw of one data set
                dataset, protocol = record.split.split(".")[:2]
                key = f"seen_{dataset}.{protocol}.{key.rpartition('.')[2]}"
            runs[key][unit].append(value)
    return {
        key: {unit: sum(found) / len(found) for unit, found in units.items()}
        for key, units in runs.items()
    }


def _summary(found: list[Cell]) -> tuple[str, str]:
    """Return the status word of a row and the text of its status column."""
    states = Counter(cell.state for cell in found)
    others = [state for state in _WORST_FIRST if states[state]]
    if not others:
        return "ok", "ok"
    texts = []
    for state in others:
        reasons = sorted({cell.reason for cell in found if cell.state == state and cell.reason})
        text = state if states[state] == len(found) else f"{states[state]} {state}"
        if state == "outdated":
            keys = sorted({key for reason in reasons for key in reason.split(", ")})
            text += f" ({', '.join(keys)})"
        elif len(reasons) == 1 and len(others) == 1:
            short = reasons[0] if len(reasons[0]) <= 48 else reasons[0][:47] + "…"
            text += f": {short}"
        texts.append(text)
    if states["ok"]:
        return "partial", "; ".join([f"{states['ok']}/{len(found)}", *texts])
    return others[0], "; ".join(texts)


def _reasons(label: str, found: list[Cell]) -> list[str]:
    """Return one line for each reason, with the cells that it holds for."""
    where: dict[tuple[str, str], list[str]] = defaultdict(list)
    for cell in found:
        if cell.reason and cell.state != "outdated":
            name = f"seed {cell.seed}" if cell.split == TRANSFER else cell.split
            where[cell.state, cell.reason].append(name)
    lines = []
    for (state, reason), names in where.items():
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        at = "" if len(names) == len(found) else f" ({', '.join(names[:3])}{more})"
        lines.append(f"{label}: {state}{at}: {reason}")
    return lines


def _lost_videos(label: str, records: list[Record]) -> list[str]:
    lost = {
        f"{name}: {path}: {reason}"
        for record in records
        for name, seen in record.coverage.items()
        for path, reason in seen.failed.items()
    }
    more = [f"{label}: and {len(lost) - 3} more videos not scored"] if len(lost) > 3 else []
    return [f"{label}: not scored: {line}" for line in sorted(lost)[:3]] + more


def _units(found: list[Cell]) -> dict[str, int]:
    units = defaultdict(set)
    for cell in found:
        scope = TRANSFER if cell.split == TRANSFER else ".".join(cell.split.split(".")[:2])
        units[scope].add(_unit(cell))
    return {scope: len(names) for scope, names in units.items()}


def collect(context: TableContext, *tables: str) -> list[Row]:
    """Return every row: the methods of the published ``tables`` in their order, the others by
    name, readings after their method, and last those that no file of ``methods/`` makes any more.

    Outdated, failed and foreign records give a status and no number.
    """
    facts: dict[str, list[Published]] = defaultdict(list)
    for number in published():
        if number.table in tables:
            facts[number.method].append(number)
    by_row: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells(context):
        by_row[cell.row].append(cell)
    about = {cell.row: (cell.method, cell.label, cell.reading) for cell in context.planned}
    for record in context.records:
        about.setdefault(record.row, (record.method, record.label, record.reading))

    rows = []
    for name, found in by_row.items():
        method, label, reading = about[name]
        current = [cell for cell in found if cell.state in ("ok", "no file")]
        records = [cell.record for cell in current if cell.record is not None]
        status, state = _summary(found)
        rows.append(
            Row(
                name,
                method,
                label,
                status,
                state,
                dict(reading),
                _reasons(label, found) + _lost_videos(label, records),
                records,
                _values(records),
                _units(found),
                {} if reading else {number.key: number for number in facts[method]},
            )
        )
    for method, numbers in facts.items():
        if method not in by_row and numbers:
            quoted = {number.key: number for number in numbers}
            rows.append(Row(method, method, numbers[0].label, "quoted", "quoted", published=quoted))
    order = list(dict.fromkeys(number.method for number in published() if number.table in tables))

    def place(row: Row) -> tuple[bool, int, str, bool, str]:
        rank = order.index(row.method) if row.method in order else len(order)
        return row.status == "no file", rank, row.method, bool(row.reading), row.name

    return sorted(rows, key=place)
