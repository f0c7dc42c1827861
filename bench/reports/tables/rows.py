"""Rows of tables: the state of every cell, and the metrics of each row over its cells."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.config.profile import ONE_SPLIT, PER_SPLIT
from bench.data.formats.input_files import COMPUTED
from bench.data.reference import Published, published
from bench.evaluation.audit_flags import Flag, flags
from bench.evaluation.statistics import Spread, pooled, spread
from bench.experiments.method_registry import MethodFile
from bench.experiments.plan import TRANSFER, PlannedCell, code_parts
from bench.experiments.record import Coverage, Record
from bench.reports.tables.context import TableContext
from bench.reports.tables.typed_table import number_text


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
    names = [key for key in _differing(expected, found) if key.startswith(COMPUTED)]
    inputs = ", ".join(name.removeprefix(COMPUTED) for name in names)
    return inputs and f"{inputs} computed on another machine"


def _digests(record: Record) -> dict[str, str]:
    """Name what must be the same in all records of one table."""
    parts = {f"data of {name}": value for name, value in record.data.items()}
    parts |= {f"data of {name}": seen.digest for name, seen in record.coverage.items()}
    parts |= {f"split {scope}": value for scope, value in record.split_digests.items()}
    trained = f"training split {record.split}"
    named = {"words": f"words of {_trained_on(record)}", "split": trained}
    return parts | {named[key]: record.parts[key] for key in named.keys() & record.parts}


def _trained_on(record: Record) -> str:
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
        latest[_trained_on(record)] |= record.parts
    for record in records:
        differs = changed(latest[_trained_on(record)] | now, record.parts)
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


_WORST_FIRST = ("broken", "failed", "missing", "outdated", "not run", "not planned", "no file")


@dataclass(frozen=True)
class Row:
    """A row of any table. A *unit* is what is repeated: a seed, or a draw of the classes."""

    name: str
    method: str
    label: str
    status: str  # ok, partial, quoted, or one of _WORST_FIRST
    state: str  # the status as the table's last column says it
    worst: str = "quoted"  # the worst state of its cells
    reading: dict[str, Any] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)  # the full reasons, for the foot of a table
    records: list[Record] = field(default_factory=list)  # current and ok
    values: dict[str, dict[str, float]] = field(default_factory=dict)  # metric -> unit -> value
    planned: dict[str, int] = field(default_factory=dict)  # units that the plan asks for
    published: dict[str, Published] = field(default_factory=dict)  # metric -> number
    gaps: list[dict[str, Any]] = field(default_factory=list)  # to the row that it is compared with
    tied: set[str] = field(default_factory=set)  # metrics in which it is, or ties with, the best
    approximates: str = ""  # how it differs from the published system
    learning: str = "steps"  # of Method; without steps, every seed gives the same
    modern: bool = False  # pre-trained on image-text pairs
    inputs: dict[str, str] = field(default_factory=dict)  # input -> what made it
    flags: tuple[Flag, ...] = ()  # of the audit: what training or pre-training has seen
    marks: str = ""  # marks of flags, shown beside the label

    @property
    def name_shown(self) -> str:
        """The label, with its marks."""
        return f"{self.label} {self.marks}".rstrip()

    @property
    def is_variant(self) -> bool:
        """Whether it is an alternative reading; an imported checkpoint is a row of its own."""
        return bool(self.reading.keys() - {"checkpoint"})

    @property
    def is_current(self) -> bool:
        """Whether its numbers belong to the present plan, so that they can be compared."""
        return self.status in ("ok", "partial")

    def spread(self, key: str) -> Spread | None:
        """Return mean, deviation and n of one metric over its units, ``None`` if not measured."""
        values = self.values.get(key)
        return spread(list(values.values())) if values else None

    def text(self, key: str) -> str | None:
        """Return one metric as ``85.1 ± 2.0 (n = 3)``, ``None`` if not measured."""
        found = self.spread(key)
        return f"{number_text(found.mean, found.std, key)} (n = {found.n})" if found else None

    def repeats(self, key: str) -> str:
        """Return what the units of a metric are: seeds or draws."""
        by_seed = all(unit.startswith("seed ") for unit in self.values.get(key, ()))
        return "seeds" if by_seed else "draws"

    def within(self, key: str) -> tuple[str, Spread] | None:
        """Return the spread within a unit, if there is one.

        For a model tested on several class splits, over the splits; for a draw trained with several
        seeds, over the seeds.
        """
        tested = [list(one.per_split[key].values()) for one in self.records if key in one.per_split]
        runs: dict[str, list[float]] = defaultdict(list)
        for record in self.records if self.repeats(key) == "draws" else ():
            if key in record.metrics:
                runs[record.split].append(record.metrics[key])
        for name, groups in (("splits", tested), ("seeds", list(runs.values()))):
            if (found := pooled(groups)) is not None:
                return name, found
        return None

    def under(self, protocol: str) -> list[Record]:
        """Return the records of the cells that are trained for a protocol."""
        own = f".{protocol}." if protocol in PER_SPLIT else TRANSFER
        return [record for record in self.records if own in record.split]

    def coverage(self, protocol: str = "") -> dict[str, dict[str, int]]:
        """Return, for each data set, scored and expected videos of its least complete record."""
        worst: dict[str, Coverage] = {}
        for record in self.under(protocol) if protocol else self.records:
            for name, seen in record.coverage.items():
                before = worst.get(name, seen)
                worst[name] = max(before, seen, key=lambda one: one.expected - one.scored)
        return {
            name: {"scored": seen.scored, "expected": seen.expected} for name, seen in worst.items()
        }

    def as_json(self) -> dict[str, Any]:
        """Return the row for ``--format json``."""
        metrics: dict[str, dict[str, Any]] = {}
        for key in dict.fromkeys((*self.published, *self.values)):
            found, quoted = self.spread(key), self.published.get(key)
            measured = asdict(found) if found else {"mean": None, "std": None, "n": 0}
            metrics[key] = measured | {"published": quoted.value if quoted else None}
            if found:
                within = self.within(key)
                metrics[key]["over"] = self.repeats(key)
                metrics[key]["within"] = within and {
                    "over": within[0],
                    "std": within[1].std,
                    "n": within[1].n,
                }
        return {
            "method": self.method,
            "row": self.name,
            "label": self.label,
            "status": self.status,
            "state": self.state,
            "reading": self.reading,
            "metrics": metrics,
            "tied": sorted(self.tied),
            "coverage": self.coverage(),
            "reasons": self.reasons,
            "approximated": self.approximates,
            "inputs": self.inputs,
            "flags": [flag.text for flag in self.flags],
        }


def _scope(split: str) -> str:
    """Return the scope of a training split: transfer, or ``<data set>.<protocol>`` of a draw."""
    return ".".join(split.split(".")[:2])


def _unit(cell: PlannedCell | Record) -> str:
    """Return what a cell repeats: a seed, or a draw of the classes."""
    by_seed = cell.split == TRANSFER or cell.split.split(".")[1] in ONE_SPLIT
    return f"seed {cell.seed}" if by_seed else cell.split


def _values(records: list[Record]) -> dict[str, dict[str, float]]:
    """Return metric -> unit -> value; a draw trained with several seeds counts once."""
    runs: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        for key, value in record.metrics.items():
            if key.startswith("seen.") and record.split != TRANSFER:  # seen classes of one draw
                key = f"seen_{_scope(record.split)}.{key.rpartition('.')[2]}"
            runs[key][_unit(record)].append(value)
    return {
        key: {unit: sum(found) / len(found) for unit, found in units.items()}
        for key, units in runs.items()
    }


def _summary(found: list[Cell]) -> tuple[str, str, str]:
    """Return the status word of a row, the text of its status column and its worst state."""
    states = Counter(cell.state for cell in found)
    others = [state for state in _WORST_FIRST if states[state]]
    if not others:
        notes = sorted({cell.reason for cell in found if cell.reason})
        return "ok", "; ".join(["ok", *notes]), "ok"
    texts = [f"{states['ok']}/{len(found)}"] if states["ok"] else []
    for state in others:
        reasons = {cell.reason for cell in found if cell.state == state and cell.reason}
        text = state if states[state] == len(found) else f"{states[state]} {state}"
        if state == "outdated":
            text += f" ({', '.join(sorted({key for r in reasons for key in r.split(', ')}))})"
        elif len(reasons) == 1 and len(others) == 1:
            reason = reasons.pop()
            text += f": {reason if len(reason) <= 48 else reason[:47] + '…'}"
        texts.append(text)
    return "partial" if states["ok"] else others[0], "; ".join(texts), others[0]


def _reasons(label: str, found: list[Cell]) -> list[str]:
    """Return one line for each reason, with its cells, then some videos that were not scored."""
    where: dict[tuple[str, str], list[str]] = defaultdict(list)
    lost: set[str] = set()
    for cell in found:
        if cell.reason and cell.state != "outdated":
            where[cell.state, cell.reason].append(_unit(cell.about))
        for name, seen in cell.record.coverage.items() if cell.record else ():
            lost |= {f"{name}: {path}: {reason}" for path, reason in seen.failed.items()}
    lines = []
    for (state, reason), names in where.items():
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        at = "" if len(names) == len(found) else f" ({', '.join(names[:3])}{more})"
        lines.append(f"{label}: {state}{at}: {reason}")
    lines += [f"{label}: not scored: {line}" for line in sorted(lost)[:3]]
    if len(lost) > 3:
        lines.append(f"{label}: and {len(lost) - 3} more videos not scored")
    return lines


def _row(
    found: list[Cell],
    numbers: dict[str, Published],
    file: MethodFile | None,
    audit: Mapping[str, Any],
) -> Row:
    about = found[0].about
    label, checkpoint = about.label, f"checkpoint {about.reading.get('checkpoint')}"
    if "checkpoint" in about.reading and checkpoint not in label:
        label = f"{label}, {checkpoint}"
    status, state, worst = _summary(found)
    records = [cell.record for cell in found if cell.record]
    units = {(_scope(cell.about.split), _unit(cell.about)) for cell in found}
    return Row(
        name=about.row,
        method=about.method,
        label=label,
        status=status,
        state=state,
        worst=worst,
        reading=about.reading,
        reasons=_reasons(label, found),
        records=records,
        values=_values(records),
        planned=Counter(scope for scope, _ in units),
        published={} if about.reading else numbers,
        approximates=file.approximates if file else "",
        learning=file.learning if file else "steps",
        modern=file.modern if file else False,
        inputs=records[0].parameters.get("inputs", {}) if records else {},
        flags=flags([cell.about for cell in found], records, file, audit),
    )


def collect(context: TableContext, *tables: str) -> list[Row]:
    """Return every row: the methods of the published ``tables`` in their order, the others by
    name, readings after their method, and last rows without a file in ``methods/``.

    Outdated and failed records give a status and no number.
    """
    facts: dict[str, dict[str, Published]] = defaultdict(dict)
    for number in published():
        if number.table in tables:
            facts[number.method][number.key] = number
    by_row: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells(context):
        by_row[cell.about.row].append(cell)
    rows = []
    for found in by_row.values():
        method = found[0].about.method
        file = context.files.get(method)
        rows.append(_row(found, facts.get(method, {}), file, context.audit or {}))
    for method, numbers in facts.items():
        if method not in by_row:
            label = next(iter(numbers.values())).label
            rows.append(Row(method, method, label, "quoted", "quoted", published=numbers))
    order = list(facts)

    def place(row: Row) -> tuple[bool, int, str, bool, str]:
        rank = order.index(row.method) if row.method in order else len(order)
        return row.status == "no file", rank, row.method, bool(row.reading), row.name

    return sorted(rows, key=place)
