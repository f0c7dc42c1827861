"""Two rows against each other on one accuracy: every interval, and what it answers."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np

from bench.errors import UserError, unknown
from bench.evaluation.stats.hypothesis_tests import (
    effective_df,
    mcnemar,
    seeds_needed,
    variance_factors,
)
from bench.evaluation.stats.intervals import Floats, over_classes, over_videos, percentiles, turned
from bench.reports.tables.context import TableContext
from bench.reports.tables.paired_predictions import by_class, by_seed, by_video
from bench.reports.tables.rows import Row, collect
from bench.reports.tables.significance import compared, pairing

Json = dict[str, Any]
FEWEST_CLASSES = 5  # of fewer, a bootstrap's interval ends at the extreme classes: 87 % at best


def compare(
    context: TableContext,
    names: tuple[str, str],
    scope: str,
    resamples: int = 10_000,
    seed: int = 0,
) -> Json:
    """Compare two rows by name under ``<data set>.<protocol>``; UserError if one is not measured.

    A part that the records do not allow is {"missing": why}.
    """
    key = context.headline(scope)
    rows = {row.name: row for row in collect(context)}
    if names[0] == names[1]:
        raise UserError(f"'{names[0]}' is compared to itself; name two rows")
    for name in names:
        if name not in rows:
            raise unknown("row", name, rows)
        if not rows[name].values.get(key):
            state = rows[name].state
            hint = "; run 'dvc repro'" if state.startswith("not run") else ""
            raise UserError(f"row '{name}' has no measured number under {scope} ({state}){hint}")
    a, b = (rows[name] for name in names)
    gap = compared(context, a, b, key)
    assert gap is not None  # both are measured
    over = pairing(context, scope)
    rng = np.random.default_rng(seed)

    def classes() -> Json:
        found = by_class(a, b, scope)
        return _bootstrapped(
            found.difference,
            len(found.classes),
            FEWEST_CLASSES,
            lambda: over_classes(found.videos, found.gain, rng, resamples),
        )

    def videos(classes_too: bool) -> Json:
        found = by_video(a, b, scope)
        if max(map(len, found.gains)) < 2:
            raise UserError("no class has two videos to draw from")
        return _bootstrapped(
            found.difference,
            len(found.gains) if classes_too else sum(map(len, found.gains)),
            FEWEST_CLASSES if classes_too else 2,
            lambda: over_videos(found.gains, rng, resamples, classes_too, found.tested),
        )

    def tests() -> Json:
        if over == "draws":
            raise UserError("a video is tested in many draws, so its results are not one pair")
        pairs = by_seed(a, b, scope)
        if not pairs:
            raise UserError("the two rows have no seed in common")
        return {f"seed {at}": asdict(mcnemar(*pair)) for at, pair in pairs.items()}

    def only_top1(part: Callable[[], Json]) -> Json:
        if not key.endswith(".top1"):
            return {"missing": f"{key} is no share of videos"}
        return _or_missing(part)

    means = [row.spread(key) for row in (a, b)]
    common = len(a.values[key].keys() & b.values[key].keys()) if over == "draws" else None
    return {
        "a": a.name,
        "b": b.name,
        "metric": key,
        "profile": context.profile,
        "paired_over": over,
        "means": [one and asdict(one) for one in means],
        "common_draws": common,
        "difference": gap.difference,
        "t": {"interval": gap.interval, "p": gap.p, "variances": gap.variances, "floor": gap.floor}
        if gap.interval
        else {"missing": _why(context, (a, b), scope, over)},
        "over_classes": only_top1(classes),
        "over_videos": only_top1(lambda: videos(False)),
        "over_classes_then_videos": only_top1(lambda: videos(True)),
        "mcnemar": only_top1(tests),
        "seeds": _or_missing(lambda: _seeds(a, b, key, over)),
        "audited": context.audit is not None,
        "not_current": {row.name: row.state for row in (a, b) if not row.is_current},
        "flags": {row.name: [f"{one.mark} {one.text}" for one in row.flags] for row in (a, b)},
        "resamples": resamples,
        "seed": seed,
    }


def _why(context: TableContext, rows: tuple[Row, Row], scope: str, over: str) -> str:
    """Say why there is no t interval."""
    if over == "splits" and context.stored(scope) is None:
        return "the split file is missing; run 'bench stage splits'"
    inside, among = context.split_sizes(scope) if over == "splits" else (1, 1)
    if 1 < among <= inside:
        return "every split holds all classes, so that splits say nothing about other classes"
    tested = [
        {name for name, (videos, _) in record.per_class[scope].items() if videos}
        for row in rows
        for record in row.records
        if scope in record.per_class
    ]
    if over == "classes" and any(one != tested[0] for one in tested):
        return "the rows were not scored on the same classes"
    return f"fewer than two {'draws in common' if over == 'draws' else f'seeds or {over}'}"


def _bootstrapped(difference: float, units: int, fewest: int, draw: Callable[[], Floats]) -> Json:
    if units < fewest:
        raise UserError(f"{units} to draw from; it takes {fewest}")
    resampled = draw()
    share = turned(resampled, difference)
    return {"difference": difference, "interval": percentiles(resampled, units), "turned": share}


def _or_missing(part: Callable[[], Json]) -> Json:
    try:
        return part()
    except UserError as error:
        return {"missing": str(error)}


def _seeds(a: Row, b: Row, key: str, over: str) -> Json:
    """Return the seeds that resolve a gap of 1 point, and between what that number lies."""
    if over == "draws":
        raise UserError("draws are repeated, not seeds; they share classes: more say little more")
    moving = [row for row in (a, b) if row.learning == "steps"]
    values = [list(row.values[key].values()) for row in moving]
    if not values:
        raise UserError("neither row has chance in it: every seed gives the same")
    if min(map(len, values)) < 2:
        raise UserError("n = 1 has no spread")
    variances = [float(np.var(one, ddof=1)) for one in values] + [0.0] * (2 - len(values))
    known = [(v, len(one) - 1) for v, one in zip(variances, values, strict=False)]
    factors = variance_factors(effective_df(known))
    between = [seeds_needed(*(factor * one for one in variances)) for factor in factors]
    return {
        "for_1_point": seeds_needed(*variances),
        "between": between,
        "measured_from": [len(one) for one in values],
    }
