"""Gaps between rows: ties in the tables, and the detailed comparison of two rows."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import UserError, unknown
from bench.evaluation.statistics import (
    Floats,
    draws_gap,
    effective_df,
    holm,
    mcnemar,
    over_classes,
    over_videos,
    percentiles,
    seeds_needed,
    splits_gap,
    transfer_gap,
    turned,
    variance_factors,
)
from bench.experiments.record import Record
from bench.reports.tables.context import TableContext
from bench.reports.tables.rows import Row, collect

_HOW = {
    "classes": "t interval, variance paired over test classes plus variance over seeds",
    "splits": "t interval, variance paired over class splits, corrected for the classes that they "
    "share, plus variance over seeds",
    "draws": "t interval paired over draws, variance corrected for the classes that draws share "
    "(Nadeau & Bengio 2003)",
}
Json = dict[str, Any]
Right = NDArray[np.bool_]
FEWEST_CLASSES = 5  # with fewer, a bootstrap interval ends at the extreme classes: 87 % at best


def pairing(context: TableContext, scope: str) -> str:
    """Return what rows are paired over under ``<data set>.<protocol>``: draws, splits, classes."""
    if context.per_draw(scope):
        return "draws"
    key = context.headline(scope)
    return "splits" if any(key in record.per_split for record in context.records) else "classes"


def gap(context: TableContext, a: Row, b: Row, key: str) -> Json | None:
    """Compare row ``a`` with ``b`` on one accuracy; ``None`` if one of them was not measured."""
    values_a, values_b = a.values.get(key), b.values.get(key)
    if not values_a or not values_b:
        return None
    scope = key.rpartition(".")[0]
    over = pairing(context, scope)
    fixed = (a.learning != "steps", b.learning != "steps")
    splits = [[r.per_split[key] for r in row.records if key in r.per_split] for row in (a, b)]
    if over == "draws":
        found = draws_gap(values_a, values_b, *context.draw_sizes(scope))
    elif over == "splits" and all(splits):
        found = splits_gap(splits[0], splits[1], context.split_sizes(scope), fixed)
    else:
        classes = [_per_class(row, scope) for row in (a, b)]
        values = [list(values.values()) for values in (values_a, values_b)]
        found = transfer_gap(values[0], values[1], classes[0], classes[1], fixed)
    return {"metric": key, "to": b.name} | asdict(found)


def _per_class(row: Row, scope: str) -> list[Mapping[str, tuple[int, int]]]:
    return [record.per_class[scope] for record in row.records if scope in record.per_class]


def corrected(family: Iterable[Json]) -> None:
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
    """Compare every row with the best of each accuracy: rows with gaps and ties, and notes.

    The comparisons with the best row of one accuracy are one family. There are no ties where n is
    too small for an interval, or with fewer than two rows.
    """
    gaps: dict[str, list[Json]] = defaultdict(list)
    tied: dict[str, set[str]] = defaultdict(set)
    small, unknown_splits, resolved = set[str](), set[str](), set[str]()
    current = [row for row in rows if row.is_current and "checkpoint" not in row.reading]
    for key in keys:
        scope = key.rpartition(".")[0]
        means = [(one.mean, row) for row in current if (one := row.spread(key))]
        means.sort(key=lambda entry: -entry[0])
        family = {
            row.name: found
            for _, row in means[1:]
            if (found := gap(context, row, means[0][1], key))
        }
        corrected(family.values())
        over = pairing(context, scope)
        for name, found in family.items():
            gaps[name].append(found)
            if found["larger_than_noise"] is None:
                no_file = over != "classes" and not context.has_splits(scope)
                (unknown_splits if no_file else small).add(scope)
                continue
            resolved.add(over)
            tied[found["to"]].add(key)
            if not found["larger_than_noise"]:
                tied[name].add(key)
    notes = [
        "* the best row of a column and every row not significantly different from it: p > 0.05 "
        "for the difference to the best, with Holm's correction over the rows of the column "
        f"({_HOW[over]})."
        for over in _HOW
        if over in resolved
    ]
    if small:
        notes.append(
            f"No interval, and so no mark *, for some rows of {', '.join(sorted(small))}: fewer "
            "than two seeds or draws, counts per class missing or for other classes, or every "
            "split with all classes."
        )
    if unknown_splits:
        notes.append(
            f"No interval, and so no mark *, for {', '.join(sorted(unknown_splits))}: the split "
            f"files are missing; run 'bench stage splits -p {context.profile}'."
        )
    return [replace(row, gaps=gaps[row.name], tied=tied[row.name]) for row in rows], notes


def rightness(record: Record, scope: str) -> dict[str, Right]:
    """Return class -> [n] whether each of its videos, in the manifest's order, was right.

    ``record.right`` holds one bit for each scored video. A manifest is sorted by class, so the
    counts per class tell which bits belong to which class. UserError for a record without them, or
    if the two disagree.
    """
    stored: Mapping[str, Mapping[str, str]] = record.right
    if scope not in stored:
        raise UserError(
            f"record {record.cell} has no per-video results of {scope}; run 'bench stage score'"
        )
    if scope not in record.per_class or len(stored[scope]) != 1:
        raise UserError(f"record {record.cell} has no counts per class of {scope}")
    counts = sorted(record.per_class[scope].items())
    ends = np.cumsum([videos for _, (videos, _) in counts])
    error = (
        f"record {record.cell}: per-video results of {scope} do not match its counts per class "
        "({}); run 'bench stage score'"
    )
    try:
        packed = np.frombuffer(bytes.fromhex(next(iter(stored[scope].values()))), np.uint8)
    except ValueError:
        raise UserError(error.format("not hexadecimal")) from None
    bits = np.unpackbits(packed).astype(bool)
    if not 0 <= len(bits) - int(ends[-1]) < 8 or bits[ends[-1] :].any():
        raise UserError(error.format(f"{len(bits)} bits"))
    found = {}
    for (name, (_, right)), part in zip(counts, np.split(bits[: ends[-1]], ends[:-1]), strict=True):
        if int(part.sum()) != right:
            raise UserError(error.format(f"class {name}"))
        found[name] = part
    return found


def _both(a: Row, b: Row, scope: str) -> list[tuple[list[Record], list[Record]]]:
    """Return the records of both rows for each training split that they share."""
    groups: list[dict[str, list[Record]]] = [defaultdict(list), defaultdict(list)]
    for row, group in zip((a, b), groups, strict=True):
        for record in row.records:
            if scope in record.per_class:
                group[record.split].append(record)
    of_a, of_b = groups
    pairs = [(of_a[split], of_b[split]) for split in sorted(of_a.keys() & of_b.keys())]
    if of_a and of_b and not pairs:
        raise UserError(f"{a.name} and {b.name} have no draw of {scope} in common")
    if not pairs:
        raise UserError(
            f"no counts per class of {scope}, which is scored over several class splits"
        )
    for pair in pairs:
        sizes = [{c: n for c, (n, _) in r.per_class[scope].items()} for side in pair for r in side]
        if any(size != sizes[0] for size in sizes):
            raise UserError(f"{a.name} and {b.name} were not scored on the same videos of {scope}")
    return pairs


def by_class(a: Row, b: Row, scope: str) -> tuple[Floats, Floats]:
    """Return the test videos [C] of each class, and how many more of them row a gets right [C].

    Means over seeds; with draws, sums over the draws that both rows have.
    """
    videos: dict[str, float] = defaultdict(float)
    gain: dict[str, float] = defaultdict(float)
    for pair in _both(a, b, scope):
        for sign, records in zip((1, -1), pair, strict=True):
            for record in records:
                for name, (_, right) in record.per_class[scope].items():
                    gain[name] += sign * right / len(records)
        for name, (count, _) in pair[0][0].per_class[scope].items():
            videos[name] += count
    names = sorted(name for name, count in videos.items() if count)
    return np.array([videos[name] for name in names]), np.array([gain[name] for name in names])


def by_video(a: Row, b: Row, scope: str) -> tuple[list[Floats], list[int]]:
    """Return for each class right of a − right of b by video, and the number of draws testing it.

    Means over seeds, and sums over draws, as ``by_class``.
    """
    gains: dict[str, Floats] = {}
    tested: dict[str, int] = defaultdict(int)
    for pair in _both(a, b, scope):
        of_a, of_b = ([rightness(record, scope) for record in side] for side in pair)
        for name in of_a[0]:
            gain = np.mean([r[name] for r in of_a], axis=0) - np.mean([r[name] for r in of_b], 0)
            if len(gain):
                if len(gains.get(name, gain)) != len(gain):
                    raise UserError(f"the draws of {scope} do not test the same videos of {name}")
                gains[name] = gains.get(name, 0.0) + gain
                tested[name] += 1
    names = sorted(gains)
    return [gains[name] for name in names], [tested[name] for name in names]


def compare(
    context: TableContext,
    names: tuple[str, str],
    scope: str,
    resamples: int = 10_000,
    seed: int = 0,
) -> Json:
    """Compare two rows by name under ``<data set>.<protocol>``; UserError if one is not measured.

    A part that the records do not allow is {"missing": reason}.
    """
    key = context.headline(scope)
    rows = {row.name: row for row in collect(context)}
    if names[0] == names[1]:
        raise UserError(f"'{names[0]}' is compared with itself; name two rows")
    for name in names:
        if name not in rows:
            raise unknown("row", name, rows)
        if not rows[name].values.get(key):
            state = rows[name].state
            hint = "; run 'dvc repro'" if state.startswith("not run") else ""
            raise UserError(f"row '{name}' has no measured number under {scope} ({state}){hint}")
    a, b = (rows[name] for name in names)
    found = gap(context, a, b, key)
    assert found is not None  # both are measured
    over = pairing(context, scope)
    rng = np.random.default_rng(seed)

    def classes() -> Json:
        videos, gain = by_class(a, b, scope)
        _require(len(videos), FEWEST_CLASSES)
        resampled = over_classes(videos, gain, rng, resamples)
        return _bootstrapped(100 * float(gain.sum() / videos.sum()), len(videos), resampled)

    def videos(classes_too: bool) -> Json:
        gains, tested = by_video(a, b, scope)
        if max(map(len, gains)) < 2:
            raise UserError("no class has two videos to draw from")
        units = len(gains) if classes_too else sum(map(len, gains))
        _require(units, FEWEST_CLASSES if classes_too else 2)
        resampled = over_videos(gains, rng, resamples, classes_too, tested)
        scored = sum(len(gain) * n for gain, n in zip(gains, tested, strict=True))
        difference = 100 * float(sum(gain.sum() for gain in gains)) / scored
        return _bootstrapped(difference, units, resampled)

    def tests() -> Json:
        if over == "draws":
            raise UserError("a video is tested in many draws, so its results are not one pair")
        ((of_a, of_b),) = _both(a, b, scope)
        sides = [
            {one.seed: np.concatenate(list(rightness(one, scope).values())) for one in side}
            for side in (of_a, of_b)
        ]
        common = sorted(sides[0].keys() & sides[1].keys())
        if not common:
            raise UserError("the two rows have no seed in common")
        return {f"seed {at}": asdict(mcnemar(sides[0][at], sides[1][at])) for at in common}

    def part(make: Callable[[], Json], of_top1: bool = True) -> Json:
        if of_top1 and not key.endswith(".top1"):
            return {"missing": f"{key} is not a share of videos"}
        try:
            return make()
        except UserError as error:
            return {"missing": str(error)}

    common = len(a.values[key].keys() & b.values[key].keys()) if over == "draws" else None
    return {
        "a": a.name,
        "b": b.name,
        "metric": key,
        "profile": context.profile,
        "paired_over": over,
        "means": [(one := row.spread(key)) and asdict(one) for row in (a, b)],
        "common_draws": common,
        "difference": found["difference"],
        "t": {name: found[name] for name in ("interval", "p", "variances", "floor")}
        if found["interval"]
        else {"missing": _why_no_interval(context, (a, b), scope, over)},
        "over_classes": part(classes),
        "over_videos": part(lambda: videos(False)),
        "over_classes_then_videos": part(lambda: videos(True)),
        "mcnemar": part(tests),
        "seeds": part(lambda: _seeds(a, b, key, over), of_top1=False),
        "audited": context.audit is not None,
        "not_current": {row.name: row.state for row in (a, b) if not row.is_current},
        "flags": {row.name: [f"{one.mark} {one.text}" for one in row.flags] for row in (a, b)},
        "resamples": resamples,
        "seed": seed,
    }


def _why_no_interval(context: TableContext, rows: tuple[Row, Row], scope: str, over: str) -> str:
    if over == "splits" and context.split_file(scope) is None:
        return "the split file is missing; run 'bench stage splits'"
    inside, among = context.split_sizes(scope) if over == "splits" else (1, 1)
    if 1 < among <= inside:
        return "every split holds all classes, so that splits say nothing about other classes"
    counts = [one for row in rows for one in _per_class(row, scope)]
    tested = [{name for name, (videos, _) in one.items() if videos} for one in counts]
    if over == "classes" and any(one != tested[0] for one in tested):
        return "the rows were not scored on the same classes"
    return f"fewer than two {'draws in common' if over == 'draws' else f'seeds or {over}'}"


def _require(units: int, fewest: int) -> None:
    if units < fewest:
        raise UserError(f"{units} to draw from; it takes {fewest}")


def _bootstrapped(difference: float, units: int, resampled: Floats) -> Json:
    share = turned(resampled, difference)
    return {"difference": difference, "interval": percentiles(resampled, units), "turned": share}


def _seeds(a: Row, b: Row, key: str, over: str) -> Json:
    """Return how many seeds resolve a gap of 1 point, and the interval of that number."""
    if over == "draws":
        raise UserError("draws are repeated, not seeds; they share classes: more say little more")
    values = [list(row.values[key].values()) for row in (a, b) if row.learning == "steps"]
    if not values:
        raise UserError("neither row has chance in it: every seed gives the same")
    if min(map(len, values)) < 2:
        raise UserError("n = 1 has no spread")
    variances = [float(np.var(one, ddof=1)) for one in values] + [0.0] * (2 - len(values))
    known = [(v, len(one) - 1) for v, one in zip(variances, values, strict=False)]
    factors = variance_factors(effective_df(known))
    return {
        "for_1_point": seeds_needed(*variances),
        "between": [seeds_needed(*(factor * one for one in variances)) for factor in factors],
        "measured_from": list(map(len, values)),
    }
