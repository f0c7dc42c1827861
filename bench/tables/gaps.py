"""Which gaps between rows are larger than noise: ties are marked instead of one bold winner."""

from dataclasses import dataclass, field
from typing import Any

from bench.stats import Gap, draws_gap, transfer_gap
from bench.tables.cells import read_splits
from bench.tables.context import TableContext
from bench.tables.rows import Row

DEFINITION = (
    "best of its column and every row not distinguishable from it: the 95 % interval of the "
    "difference to the best contains 0 ({how})"
)
_HOW = {
    False: "t interval, variance paired over test classes plus variance over seeds",
    True: "t interval paired over draws, variance corrected for the classes that draws share "
    "after Nadeau & Bengio 2003",
}


@dataclass(frozen=True)
class Ties:
    """Marks and gaps of some columns: ``marked`` holds (row name, metric)."""

    marked: set[tuple[str, str]] = field(default_factory=set)
    gaps: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # row name -> gaps
    notes: list[str] = field(default_factory=list)


def gap(context: TableContext, a: Row, b: Row, key: str) -> Gap | None:
    """Compare two rows on one accuracy; ``None`` if one of them was not measured."""
    if not a.values.get(key) or not b.values.get(key):
        return None
    scope = key.rpartition(".")[0]
    if context.per_draw(scope):
        return draws_gap(a.values[key], b.values[key], _test_over_train(context, scope))
    values = [list(row.values[key].values()) for row in (a, b)]
    classes = [[r.per_class[scope] for r in row.records if scope in r.per_class] for row in (a, b)]
    return transfer_gap(values[0], values[1], classes[0], classes[1])


def _test_over_train(context: TableContext, scope: str) -> float:
    stored = read_splits(context, scope)
    draws = stored["splits"] if stored else []
    return len(draws[0]["unseen"]) / max(len(draws[0]["seen"]), 1) if draws else 1.0


def as_json(found: Gap, key: str, to: str) -> dict[str, Any]:
    """Return a gap for ``--format json``."""
    return {
        "metric": key,
        "to": to,
        "difference": found.difference,
        "interval": list(found.interval) if found.interval else None,
        "larger_than_noise": found.larger_than_noise,
    }


def ties(context: TableContext, rows: list[Row], keys: list[str]) -> Ties:
    """Mark, for each accuracy, the best row and every row not distinguishable from it.

    Nothing is marked where n is too small for an interval, or where fewer than two rows stand.
    """
    result = Ties(gaps={row.name: [] for row in rows})
    small, resolved = set(), set()
    for key in keys:
        means = {
            row.name: (found.mean, row)
            for row in rows
            if row.status != "no file"
            and not row.checkpoint
            and (found := row.spread(key)) is not None
        }
        if len(means) < 2:
            continue
        best = max(means.values(), key=lambda entry: entry[0])[1]
        for name, (_, row) in means.items():
            to_best = None if row is best else gap(context, row, best, key)
            if to_best is None:
                continue
            result.gaps[name].append(as_json(to_best, key, best.name))
            if to_best.larger_than_noise is None:
                small.add(key.rpartition(".")[0])
            else:
                resolved.add(context.per_draw(key.rpartition(".")[0]))
                result.marked.add((best.name, key))
                if not to_best.larger_than_noise:
                    result.marked.add((name, key))
    for per_draw in sorted(resolved):
        result.notes.append(f"* {DEFINITION.format(how=_HOW[per_draw])}.")
    if small:
        result.notes.append(
            f"No interval, so no tie mark, for some rows of {', '.join(sorted(small))}: "
            "n is too small (fewer than two seeds or draws) or the counts per class are absent."
        )
    return result
