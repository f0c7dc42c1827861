"""The table of ``bench verify --against``."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict

from bench.pipeline.verify.against import Beside, Moved
from bench.reports.tables.typed_table import Counts, Number, Table, Value

_COLUMNS = (
    *("method", "data set", "n", "here", "there", "moved", "95 %"),
    *("cell ±", "seeds ±", "moved most"),
)
_NOTES = (
    "moved: there − here, in points, with the 95 % interval of the mean over n cells; * p ≤ 0.05 "
    "after Holm's correction for all of the profile.",
    "cell ±: deviation of one cell's move. seeds ±: of the difference between two seeds of one "
    "training split, here.",
)


def tabled(one: Beside) -> Table:
    """Return the rows of one profile as a table, with what is said of its cells above and below."""
    return Table(
        f"{one.profile}, trained here and there",
        list(_cells(one)),
        [("", name) for name in _COLUMNS],
        [_row(row) for row in one.rows],
        [*_outcome(one), *_NOTES],
        [asdict(row) for row in one.rows],
    )


def _cells(one: Beside) -> Iterator[str]:
    counts = Counter(verdict.word for verdict in one.verdicts)
    told = ", ".join(f"{count} {word}" for word, count in counts.most_common())
    yield f"{len(one.verdicts)} cells compared: {told}."
    yield from (f"Another machine or version there: {what}." for what in one.machine)
    for count, where in zip(one.alone, ("here", "there"), strict=True):
        if count:
            yield f"{count} cells {where} alone."
    if one.copies:
        yield f"{one.copies} cells are of one training, whose record is in both; left out."
    parts = Counter(", ".join(names) for names in one.unlike.values())
    yield from (f"{n} cells not made alike, left out: {what}." for what, n in parts.most_common())
    coded = Counter(", ".join(names) for names in one.recoded.values())
    yield from (f"{n} cells of other code ({what}), compared too." for what, n in coded.items())
    made = Counter(", ".join(names) for names in one.remade.values())
    for what, n in made.most_common():
        yield f"{n} cells with other bits of {what}, as each machine made it; they are compared."


def _outcome(one: Beside) -> Iterator[str]:
    beyond = [f"{row.row} ({row.metric})" for row in one.rows if row.beyond_chance]
    moved = sum(row.largest[1] != 0 for row in one.rows)
    tested = [row.p for row in one.rows if row.p is not None]
    alone = sum(p <= 0.05 for p in tested)
    yield (
        f"Of {len(one.rows)} accuracies {moved} moved: {alone} with p ≤ 0.05 taken alone (chance "
        f"gives about {0.05 * len(tested):.0f} of {len(tested)}), {len(beyond)} after Holm's "
        f"correction{': ' if beyond else ''}{', '.join(beyond)}."
    )
    if one.scatter:
        cell, seeds = one.scatter
        yield (
            f"Pooled over rows that moved: a cell moves by ± {cell:.1f}, "
            f"two seeds differ by ± {seeds:.1f} points."
        )
    if one.broken:
        yield f"On one machine, and yet different: {', '.join(one.broken)}."


def _row(row: Moved) -> list[Value]:
    low, high = row.interval or (0.0, 0.0)
    cell, by = row.largest
    return [
        *(row.row, row.metric.rpartition(".")[0], Counts.of(row.n)),
        *(Number(row.here), Number(row.there)),
        _points(row.difference, row.beyond_chance),
        f"{_points(low)} to {_points(high)}" if row.interval else None,
        None if row.std is None else Number(row.std),
        None if row.seeds_std is None else Number(row.seeds_std),
        f"{_points(by)} ({cell.removeprefix(f'{row.row}.')})" if by else None,
    ]


def _points(points: float, is_tied: bool = False) -> Number:
    rounds_to_zero = not round(points, 1)
    return Number(0.0 if rounds_to_zero else points, signed=not rounds_to_zero, is_tied=is_tied)
