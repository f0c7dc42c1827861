"""A table of typed cells. Renderers decide how a cell looks; ``str`` is its plain text form."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from bench.data.reference import Published
from bench.evaluation.statistics import Spread
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


def tabled(
    title: str,
    header: list[str],
    columns: Sequence[Column],
    rows: Sequence[Any],
    notes: list[str],
    data: list[dict[str, Any]],
) -> Table:
    """Return the table of ``columns`` with a line for each row."""
    names = [column[:2] for column in columns]
    return Table(title, header, names, filled(columns, rows), notes, data)


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
