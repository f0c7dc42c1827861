"""The columns that tables share, and how numbers stand in their cells."""

from collections import Counter
from collections.abc import Iterable

from bench.experiments.plan import TRANSFER
from bench.reports.tables.comparability import stands, videos
from bench.reports.tables.context import Column, TableContext
from bench.reports.tables.rows import MISSING, Row

SCATTER = {"closeness": "C↓", "dispersion": "D↑"}

STATUS = Column("", "status", lambda row: row.state)


def _digits(key: str) -> int:
    return 2 if key.rpartition(".")[2] in SCATTER else 1


def number_text(mean: float, std: float | None, key: str) -> str:
    """Return ``85.1 ± 2.0``; without ± where there is no deviation."""
    digits = _digits(key)
    return f"{mean:.{digits}f}" + ("" if std is None else f" ± {std:.{digits}f}")


def heading(key: str) -> str:
    """Name a metric's column: ``mini_ucf`` for top-1, ``C↓ mini_ucf`` for closeness."""
    dataset, _, metric = key.split(".")
    named = {**SCATTER, "harmonic": "H"}
    return f"{named.get(metric, '')} {dataset.replace('seen_', 'seen ', 1)}".lstrip()


def measured(key: str) -> Column:
    """Mean and deviation over the repeats, a star where the row ties with the best."""

    def text(row: Row) -> str:
        found = row.spread(key)
        if found is None:
            return MISSING
        return number_text(found.mean, found.std, key) + " *" * (key in row.tied)

    return Column("measured", heading(key), text)


ALSO = (
    "also ±: the other deviation of a row that has two, one number a data set: over the class "
    "splits that one model is tested on, or over the seeds of one draw."
)


def within(context: TableContext, keys: list[str], table: list[str]) -> list[Column]:
    """The spread within a unit: ``splits 5.4, 7.1``; no column if no key of ``table`` has it."""
    seeds = Counter((one.row, one.split) for one in context.records if one.split != TRANSFER)
    draws = {split.rpartition(".")[0] for (_, split), count in seeds.items() if count > 1}
    tested = any(key in one.per_split for one in context.records for key in table)
    if not tested and not any(map(context.per_draw, draws)):
        return []

    def text(row: Row) -> str:
        found = [(key, *other) for key in keys if (other := row.within(key))]
        over = ", ".join(dict.fromkeys(name for _, name, _ in found))
        stds = (f"{spread.std:.{_digits(key)}f}" for key, _, spread in found)
        return f"{over} {', '.join(stds)}" if found else MISSING

    return [Column("measured", "also ±", text)]


def quoted(key: str) -> Column:
    """A published number; closeness and dispersion have no stated data set."""

    def text(row: Row) -> str:
        number = row.published.get(key)
        return number_text(number.value, number.std, key) if number else MISSING

    dataset, _, metric = key.split(".")
    return Column("published", SCATTER.get(metric, dataset.upper()), text)


def delta(context: TableContext, key: str) -> Column:
    """Measured − published, where the two may stand against each other."""

    def text(row: Row) -> str:
        found, number = row.spread(key), row.published.get(key)
        if found is None or number is None or not stands(context, row, number):
            return MISSING
        return f"{found.mean - number.value:+.{_digits(key)}f}"

    return Column("Δ", heading(key), text)


def repeats(keys: list[str]) -> Column:
    """Over how many units the metrics were taken: ``3``, or ``2/3`` if some lack."""

    def text(row: Row) -> str:
        texts = []
        for key in keys if row.planned or row.values else ():
            done = len(row.values.get(key, {}))
            planned = row.planned.get(key.rpartition(".")[0], row.planned.get(TRANSFER, done))
            texts.append(f"{done}/{planned}" if done < planned else str(done))
        return ", ".join(dict.fromkeys(texts)) or MISSING

    return Column("measured", "n", text)


def coverage(context: TableContext, scopes: Iterable[str]) -> Column:
    """Videos scored / expected, summed over the scopes' data sets; a list of videos has its own.

    Of a public data set of which some lack all are expected.
    """
    wanted = list(scopes)

    def text(row: Row) -> str:
        seen = {}
        for scope in wanted if row.status != "quoted" else ():
            name, _, protocol = scope.partition(".")
            found = row.coverage(protocol)
            if part := found.get(scope, found.get(name)):
                whole = 0 if scope in found else videos(context, scope)
                seen[name] = part["scored"], max(whole, part["expected"])
        scored, expected = map(sum, zip(*seen.values(), strict=True)) if seen else (0, 0)
        return f"{scored}/{expected}" if expected else MISSING

    return Column("measured", "coverage", text)
