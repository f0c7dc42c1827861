"""The columns that several tables share."""

from collections import Counter
from collections.abc import Iterable

from bench.experiments.plan import TRANSFER
from bench.reports.tables.comparability import is_comparable, videos
from bench.reports.tables.context import TableContext
from bench.reports.tables.rows import Row
from bench.reports.tables.typed_table import (
    SCATTER,
    Column,
    Counts,
    Difference,
    Measured,
    Quoted,
    State,
    Value,
    digits_of,
)

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
