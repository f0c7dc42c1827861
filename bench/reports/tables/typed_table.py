"""A table of typed cells. Renderers decide how a cell looks; ``str`` is its plain text form."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from bench.data.reference import Published
from bench.evaluation.statistics import Spread
from bench.experiments.plan import TRANSFER
from bench.reports.tables.comparability import is_comparable, videos
from bench.reports.tables.context import TableContext
from bench.reports.tables.rows import Row
from bench.utils.io import rounded

MISSING = "—"
SCATTER = {"closeness": "C↓", "dispersion": "D↑"}


@dataclass(frozen=True)
class Number:
    """A number with its deviation, as text ``85.1 ± 2.0 *``."""

    value: float
    std: float | None = None
    digits: int = 1
    signed: bool = False
    is_tied: bool = False  # the best of its column, or not significantly different from the best
    in_doubt: bool = False  # shown in parentheses

    @property
    def mean(self) -> str:
        """The number itself, without deviation and marks."""
        value = rounded(self.value)  # so that no tie is decided by the last digits of a CPU
        return f"{value:{'+' if self.signed else ''}.{self.digits}f}"

    @property
    def spread(self) -> str:
        """``± 2.0``, or "" without a deviation."""
        return "" if self.std is None else f"± {rounded(self.std):.{self.digits}f}"

    def __str__(self) -> str:
        text = " ".join(filter(None, (self.mean, self.spread, "*" * self.is_tied)))
        return f"({text})" if self.in_doubt else text


@dataclass(frozen=True)
class Measured(Number):
    """A mean over the records of a row; it leads to these records."""

    key: str = ""  # <data set>.<protocol>.<metric>
    n: int = 1
    over: str = "seeds"  # what n counts: seeds or draws
    within: tuple[str, Spread] | None = None  # the other deviation, see ``Row.within``


@dataclass(frozen=True)
class Quoted(Number):
    """A published number; it leads to its source."""

    source: Published | None = None


@dataclass(frozen=True)
class Difference(Number):
    """A difference in points, with its 95 % interval where there is one."""

    interval: tuple[float, float] | None = None
    against: str = ""  # the row that it is compared with


@dataclass(frozen=True)
class Counts:
    """Counts such as ``3``, ``2/3`` or ``3, 2/3``: each is (done, expected or None)."""

    counts: tuple[tuple[int, int | None], ...]

    @classmethod
    def of(cls, count: int, expected: int | None = None) -> "Counts":
        """Return a single count."""
        return cls(((count, expected),))

    def __str__(self) -> str:
        texts = (f"{n}" if of is None else f"{n}/{of}" for n, of in self.counts)
        return ", ".join(dict.fromkeys(texts))


@dataclass(frozen=True)
class State:
    """The state of a row: ``worst`` is the worst state among its cells, ``ok`` if all are ok."""

    worst: str
    text: str

    def __str__(self) -> str:
        return self.text


Value = str | Number | Counts | State | None  # None: there is nothing to show


class Column(NamedTuple):
    """A column: its group ("" for none), its name, and the cell of a row in it."""

    group: str
    name: str
    value: Callable[[Any], Value]


@dataclass(frozen=True)
class Table:
    """A finished table: ``columns`` are (group, name), ``data`` is its JSON form."""

    title: str
    header: list[str]
    columns: list[tuple[str, str]]
    rows: list[list[Value]]
    notes: list[str]
    data: list[dict[str, Any]]

    @property
    def texts(self) -> list[list[str]]:
        """The rows as plain text."""
        return [[text_of(value) for value in row] for row in self.rows]


def filled(columns: Sequence[Column], rows: Iterable[Any]) -> list[list[Value]]:
    """Return the cells of every row."""
    return [[column.value(row) for column in columns] for row in rows]


def text_of(value: Value) -> str:
    """Return a cell as plain text, ``—`` where there is nothing to show."""
    return MISSING if value is None else str(value)


def digits_of(key: str) -> int:
    """Return the decimals of a metric: one for percents, two for cosine distances."""
    return 2 if key.rpartition(".")[2] in SCATTER else 1


def number_text(mean: float, std: float | None, key: str) -> str:
    """Return a metric as ``85.1 ± 2.0``."""
    return str(Number(mean, std, digits_of(key)))


STATUS = Column("", "status", lambda row: State(row.worst, row.state))


def heading(key: str) -> str:
    """Return the name of a metric's column: ``mini_ucf`` for top-1, ``C↓ mini_ucf``, ``H …``."""
    dataset, _, metric = key.split(".")
    named = {**SCATTER, "harmonic": "H"}
    return f"{named.get(metric, '')} {dataset.replace('seen_', 'seen ', 1)}".lstrip()


def measured(key: str) -> Column:
    """Mean and deviation over seeds or draws, with a star where the row ties with the best."""

    def value(row: Row) -> Value:
        found = row.spread(key)
        if found is None:
            return None
        return Measured(
            found.mean,
            found.std,
            digits_of(key),
            is_tied=key in row.tied,
            key=key,
            n=found.n,
            over=row.repeats(key),
            within=row.within(key),
        )

    return Column("measured", heading(key), value)


ALSO = (
    "also ±: the other deviation of a row that has two, one number a data set: over the class "
    "splits that one model is tested on, or over the seeds of one draw."
)


def within(context: TableContext, keys: list[str], table: list[str]) -> list[Column]:
    """Return the column of the other deviation, ``splits 5.4, 7.1``; none if no row has it."""
    seeds = Counter((one.row, one.split) for one in context.records if one.split != TRANSFER)
    draws = {split.rpartition(".")[0] for (_, split), count in seeds.items() if count > 1}
    tested = any(key in one.per_split for one in context.records for key in table)
    if not tested and not any(map(context.per_draw, draws)):
        return []

    def value(row: Row) -> Value:
        found = [(key, *other) for key in keys if (other := row.within(key))]
        over = ", ".join(dict.fromkeys(name for _, name, _ in found))
        stds = (f"{spread.std:.{digits_of(key)}f}" for key, _, spread in found)
        return f"{over} {', '.join(stds)}" if found else None

    return [Column("measured", "also ±", value)]


def quoted(key: str) -> Column:
    """A published number; closeness and dispersion are published without a data set."""

    def value(row: Row) -> Value:
        number = row.published.get(key)
        if number is None:
            return None
        return Quoted(number.value, number.std, digits_of(key), source=number)

    dataset, _, metric = key.split(".")
    return Column("published", SCATTER.get(metric, dataset.upper()), value)


def delta(context: TableContext, key: str) -> Column:
    """Measured − published, where the two may be compared."""

    def value(row: Row) -> Value:
        found, number = row.spread(key), row.published.get(key)
        if found is None or number is None or not is_comparable(context, row, number):
            return None
        return Difference(found.mean - number.value, digits=digits_of(key), signed=True)

    return Column("Δ", heading(key), value)


def repeats(keys: list[str]) -> Column:
    """The number of seeds or draws of each metric: ``3``, or ``2/3`` if some are missing."""

    def value(row: Row) -> Value:
        counts = []
        for key in keys if row.planned or row.values else ():
            done = len(row.values.get(key, {}))
            planned = row.planned.get(key.rpartition(".")[0], row.planned.get(TRANSFER, done))
            counts.append((done, planned if done < planned else None))
        return Counts(tuple(counts)) if counts else None

    return Column("measured", "n", value)


def coverage(context: TableContext, scopes: Iterable[str]) -> Column:
    """Videos scored / expected, summed over the scopes' data sets.

    A list of videos has a count of its own. Of a public data set that is only partly here, all
    published videos are expected.
    """
    wanted = list(scopes)

    def value(row: Row) -> Value:
        seen = {}
        for scope in wanted if row.status != "quoted" else ():
            name, _, protocol = scope.partition(".")
            found = row.coverage(protocol)
            if part := found.get(scope, found.get(name)):
                whole = 0 if scope in found else videos(context, scope)
                seen[name] = part["scored"], max(whole, part["expected"])
        scored, expected = map(sum, zip(*seen.values(), strict=True)) if seen else (0, 0)
        return Counts.of(scored, expected) if expected else None

    return Column("measured", "coverage", value)
