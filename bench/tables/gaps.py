"""Which gaps between rows are larger than noise: ties are marked instead of one bold winner."""

from collections import defaultdict
from dataclasses import asdict, replace
from typing import Any

from bench.stats import draws_gap, transfer_gap
from bench.tables.context import TableContext
from bench.tables.rows import Row

_HOW = {
    False: "t interval, variance paired over test classes plus variance over seeds",
    True: "t interval paired over draws, variance corrected for the classes that draws share "
    "after Nadeau & Bengio 2003",
}


def gap(context: TableContext, a: Row, b: Row, key: str) -> dict[str, Any] | None:
    """Compare row ``a`` to ``b`` on one accuracy; ``None`` if one of them was not measured."""
    values_a, values_b = a.values.get(key), b.values.get(key)
    if not values_a or not values_b:
        return None
    scope = key.rpartition(".")[0]
    if context.per_draw(scope):
        seen, unseen = context.draw_sizes(scope)
        found = draws_gap(values_a, values_b, unseen / max(seen, 1))
    else:
        classes_a, classes_b = (
            [one.per_class[scope] for one in row.records if scope in one.per_class]
            for row in (a, b)
        )
        seeds_a, seeds_b = list(values_a.values()), list(values_b.values())
        fixed = (a.learning != "steps", b.learning != "steps")
        found = transfer_gap(seeds_a, seeds_b, classes_a, classes_b, fixed)
    larger = {"larger_than_noise": found.larger_than_noise}
    return {"metric": key, "to": b.name} | asdict(found) | larger


def with_ties(
    context: TableContext, rows: list[Row], keys: list[str]
) -> tuple[list[Row], list[str]]:
    """Compare every row to the best of each accuracy: the rows with gaps and ties, and notes.

    Nothing is tied where n is too small for an interval, or where fewer than two rows stand.
    """
    gaps: dict[str, list[dict[str, Any]]] = defaultdict(list)
    tied: dict[str, set[str]] = defaultdict(set)
    small, resolved = set(), set()
    for key in keys:
        scope = key.rpartition(".")[0]
        measured = [
            (row, row.spread(key))
            for row in rows
            if row.status != "no file" and "checkpoint" not in row.reading
        ]
        means = [(found.mean, row) for row, found in measured if found]
        means.sort(key=lambda entry: -entry[0])
        for _, row in means[1:]:
            best = means[0][1]
            found = gap(context, row, best, key)
            if found is None:
                continue
            gaps[row.name].append(found)
            if found["larger_than_noise"] is None:
                small.add(scope)
                continue
            resolved.add(context.per_draw(scope))
            tied[best.name].add(key)
            if not found["larger_than_noise"]:
                tied[row.name].add(key)
    notes = [
        "* best of its column and every row not distinguishable from it: the 95 % interval of the "
        f"difference to the best contains 0 ({_HOW[per_draw]})."
        for per_draw in sorted(resolved)
    ]
    if small:
        notes.append(
            f"No interval, so no tie mark, for some rows of {', '.join(sorted(small))}: "
            "n is too small (fewer than two seeds or draws) or the counts per class are absent."
        )
    return [replace(row, gaps=gaps[row.name], tied=tied[row.name]) for row in rows], notes
