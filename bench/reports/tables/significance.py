"""Which gaps between rows are larger than noise: ties are marked instead of one bold winner."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

from bench.evaluation.stats.hypothesis_tests import holm
from bench.evaluation.stats.intervals import Gap, draws_gap, splits_gap, transfer_gap
from bench.reports.tables.context import TableContext
from bench.reports.tables.rows import Row

_HOW = {
    "classes": "t interval, variance paired over test classes plus variance over seeds",
    "splits": "t interval, variance paired over class splits, corrected for the classes that they "
    "share, plus variance over seeds",
    "draws": "t interval paired over draws, variance corrected for the classes that draws share "
    "after Nadeau & Bengio 2003",
}


def pairing(context: TableContext, scope: str) -> str:
    """Return what the rows of ``<data set>.<protocol>`` are paired over: draws, splits, classes."""
    if context.per_draw(scope):
        return "draws"
    key = context.headline(scope)
    return "splits" if any(key in record.per_split for record in context.records) else "classes"


def compared(context: TableContext, a: Row, b: Row, key: str) -> Gap | None:
    """Compare row ``a`` to ``b`` on one accuracy; ``None`` if one of them was not measured."""
    values_a, values_b = a.values.get(key), b.values.get(key)
    if not values_a or not values_b:
        return None
    scope = key.rpartition(".")[0]
    over = pairing(context, scope)
    fixed = (a.learning != "steps", b.learning != "steps")
    if over == "draws":
        return draws_gap(values_a, values_b, *context.draw_sizes(scope))
    if over == "splits":
        splits_a, splits_b = (
            [one.per_split[key] for one in row.records if key in one.per_split] for row in (a, b)
        )
        if splits_a and splits_b:
            return splits_gap(splits_a, splits_b, context.split_sizes(scope), fixed)
    classes_a, classes_b = (
        [one.per_class[scope] for one in row.records if scope in one.per_class] for row in (a, b)
    )
    seeds_a, seeds_b = list(values_a.values()), list(values_b.values())
    return transfer_gap(seeds_a, seeds_b, classes_a, classes_b, fixed)


def gap(context: TableContext, a: Row, b: Row, key: str) -> dict[str, Any] | None:
    """Return ``compared`` as json holds it, before ``corrected``."""
    found = compared(context, a, b, key)
    return None if found is None else {"metric": key, "to": b.name} | asdict(found)


def corrected(family: Iterable[dict[str, Any]]) -> None:
    """Add p_holm and larger_than_noise to the gaps of one family; ``None`` without a p value."""
    gaps = list(family)
    tested = [one for one in gaps if one["p"] is not None]
    for one in gaps:
        one |= {"p_holm": None, "larger_than_noise": None}
    for one, p in zip(tested, holm([one["p"] for one in tested]), strict=True):
        one |= {"p_holm": p, "larger_than_noise": p <= 0.05}


def with_ties(
    context: TableContext, rows: list[Row], keys: list[str]
) -> tuple[list[Row], list[str]]:
    """Compare every row to the best of each accuracy: the rows with gaps and ties, and notes.

    The rows of one accuracy against its best are one family of comparisons. Nothing is tied where n
    is too small for an interval, or where fewer than two rows stand.
    """
    gaps: dict[str, list[dict[str, Any]]] = defaultdict(list)
    tied: dict[str, set[str]] = defaultdict(set)
    small, unknown, resolved = set[str](), set[str](), set[str]()
    for key in keys:
        scope = key.rpartition(".")[0]
        measured = [
            (row, row.spread(key))
            for row in rows
            if row.is_current and "checkpoint" not in row.reading
        ]
        means = [(found.mean, row) for row, found in measured if found]
        means.sort(key=lambda entry: -entry[0])
        best = means[0][1] if means else None
        to_best = {row.name: gap(context, row, best, key) for _, row in means[1:] if best}
        family = {name: found for name, found in to_best.items() if found}
        corrected(family.values())
        for name, found in family.items():
            gaps[name].append(found)
            over = pairing(context, scope)
            if found["larger_than_noise"] is None:
                lost = over != "classes" and not context.has_splits(scope)
                (unknown if lost else small).add(scope)
                continue
            resolved.add(over)
            tied[found["to"]].add(key)
            if not found["larger_than_noise"]:
                tied[name].add(key)
    notes = [
        "* best of its column and every row that cannot be told from it: p > 0.05 for the "
        "difference to the best, corrected for the rows of the column after Holm "
        f"({_HOW[over]})."
        for over in _HOW
        if over in resolved
    ]
    if small:
        notes.append(
            f"No interval, so no tie mark, for some rows of {', '.join(sorted(small))}: "
            "n is too small (fewer than two seeds or draws), the counts per class are absent or of "
            "other classes, or every split holds all classes."
        )
    if unknown:
        notes.append(
            f"No interval, so no tie mark, for {', '.join(sorted(unknown))}: the split files are "
            f"not here; bench stage splits -p {context.profile} makes them."
        )
    return [replace(row, gaps=gaps[row.name], tied=tied[row.name]) for row in rows], notes
