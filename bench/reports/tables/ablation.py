"""The ablation table, and the alternative readings of its methods."""

from dataclasses import replace
from functools import partial

from bench.data.reference import published
from bench.evaluation.statistics import spread
from bench.reports.tables.columns import (
    ALSO,
    STATUS,
    comparable,
    coverage,
    delta,
    heading,
    measured,
    opening,
    quoted,
    repeats,
    with_marks,
    within,
)
from bench.reports.tables.context import TableContext
from bench.reports.tables.row_gaps import corrected, gap, with_ties
from bench.reports.tables.rows import Row, collect
from bench.reports.tables.typed_table import (
    SCATTER,
    Column,
    Difference,
    Number,
    Table,
    Value,
    filled,
)


def build_ablation(context: TableContext) -> Table:
    """Build the ablation table; the primary protocol of each data set (JSON has all)."""
    facts = [number for number in published() if number.table == "ablation"]
    compared = dict.fromkeys(number.key for number in facts if comparable(context, number))
    scopes = context.primary
    top1 = [context.headline(scope) for scope in scopes]
    seen = [f"seen_{scope}" if context.per_split(scope) else "seen.full" for scope in scopes]
    others = {number.method for number in published()} - {number.method for number in facts}
    rows = [
        row
        for row in collect(context, "ablation")
        if not row.is_variant and row.method not in others  # those are in the comparison
    ]
    rows, ties = with_ties(context, rows, top1)
    rows, legend = with_marks(context, rows)
    also = within(context, top1, top1)
    columns = [
        Column("", "method", lambda row: row.name_shown),
        *(quoted(key) for key in dict.fromkeys(number.key for number in facts)),
        *(measured(key) for key in top1),
        *(delta(context, key) for key in compared),
        *(
            measured(f"{scope}.{metric}")
            for metric in SCATTER
            for scope in dict.fromkeys([*scopes, *seen])
        ),
        repeats(top1),
        *also,
        coverage(context, scopes),
        STATUS,
    ]
    header = [
        *opening(context),
        f"Published ({facts[0].source}): Kinetics-700 with τ = 0.05, 1 clip, every test class; "
        "it does not say on which classes closeness and dispersion were taken.",
        f"Measured ({', '.join(scopes)}): top-1 in percent of videos, mean ± sample deviation "
        f"over n {context.repeated(scopes)}. C↓ closeness and D↑ dispersion are cosine distances "
        "on the test classes of the named data set and on the seen (training) classes.",
        *([ALSO] if also else []),
        *(["Δ = measured − published, in points."] if compared else []),
    ]
    return Table(
        f"Ablation, profile {context.profile}",
        header,
        [column[:2] for column in columns],
        filled(columns, rows),
        [*legend, *ties, *(reason for row in rows for reason in row.reasons)],
        [row.as_json() | {"gaps": row.gaps} for row in rows],
    )


LOSSES = {"L_US": "L_US", "L_US_floor": "L_US at Z≡Θ", "cos_Z": "cos Z", "cos_Theta": "cos Θ"}


def _loss(row: Row, name: str) -> float | None:
    found = [record.losses[name] for record in row.records if name in record.losses]
    return spread(found).mean if found else None


def _final(row: Row, name: str) -> Value:
    value = _loss(row, name)
    return None if value is None else Number(value, digits=3)


def _to_default(row: Row, key: str) -> Value:
    found = next((one for one in row.gaps if one["metric"] == key), None)
    if found is None:
        return None
    return Difference(
        found["difference"],
        signed=True,
        in_doubt=not found["larger_than_noise"],
        interval=found["interval"],
        against=found["to"],
    )


def _reading(row: Row) -> str:
    return ", ".join(f"{name} = {value}" for name, value in row.reading.items()) or "default"


def build_readings(context: TableContext) -> Table:
    """Build the table of readings; a method without readings is in it if it logs L_US."""
    every = [row for row in collect(context) if row.is_variant or not row.reading]
    default = {row.method: row for row in every if not row.reading}
    varied = {row.method for row in every if row.is_variant}
    top1 = [context.headline(scope) for scope in context.primary]
    rows = []
    for row in every:
        if row.method in varied or _loss(row, "L_US") is not None:
            to = default.get(row.method) if row.is_variant and row.is_current else None
            gaps = [gap(context, row, to, key) for key in top1] if to and to.is_current else []
            rows.append(replace(row, gaps=[found for found in gaps if found]))
    for key in top1:  # the readings of one data set are one family of comparisons
        corrected(found for row in rows for found in row.gaps if found["metric"] == key)
    rows, legend = with_marks(context, rows)
    columns = [
        Column(
            "", "method", lambda row: f"{default.get(row.method, row).label} {row.marks}".rstrip()
        ),
        Column("", "reading", _reading),
        *(measured(key) for key in top1),
        *(Column("to default", heading(key), partial(_to_default, key=key)) for key in top1),
        *(Column("final", title, partial(_final, name=name)) for name, title in LOSSES.items()),
        repeats(top1),
        STATUS,
    ]
    header = [
        *opening(context),
        f"Top-1 in percent ({', '.join(context.primary)}), mean ± sample deviation over n "
        f"{context.repeated(context.primary)}; 'to default' is the difference to the method's own "
        "default, in parentheses where it is not larger than noise (p > 0.05 after Holm's "
        "correction over the readings of a data set) or n is too small to tell.",
        "Final: L_US at the end of training beside the value that it has where Z and Θ agree "
        "perfectly, and the mean pairwise cosines of the synthetic classes Z and Θ.",
    ]
    none = "No alternative reading is planned: run 'bench train --readings && bench stage score'."
    return Table(
        f"Alternative readings, profile {context.profile}",
        header,
        [column[:2] for column in columns],
        filled(columns, rows),
        [*legend, *([] if varied else [none]), *(reason for row in rows for reason in row.reasons)],
        [
            row.as_json()
            | {"gaps": row.gaps, "losses": {name: _loss(row, name) for name in LOSSES}}
            for row in rows
        ],
    )
