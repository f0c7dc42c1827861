"""The ablation table: the poster's five rows, then every method that is no published system."""

from bench.data.reference import published
from bench.reports.tables.comparability import comparable, opening
from bench.reports.tables.context import Column, Table, TableContext, filled
from bench.reports.tables.flags import with_marks
from bench.reports.tables.rows import collect
from bench.reports.tables.significance import with_ties
from bench.reports.tables.text import (
    ALSO,
    SCATTER,
    STATUS,
    coverage,
    delta,
    measured,
    quoted,
    repeats,
    within,
)


def build_ablation(context: TableContext) -> Table:
    """Build the ablation table; of each test data set the primary protocol (all stand in json)."""
    facts = [number for number in published() if number.table == "ablation"]
    compared = dict.fromkeys(number.key for number in facts if comparable(context, number))
    scopes = context.primary
    top1 = [context.headline(scope) for scope in scopes]
    seen = [f"seen_{scope}" if context.per_split(scope) else "seen.full" for scope in scopes]
    others = {number.method for number in published()} - {number.method for number in facts}
    rows = [
        row
        for row in collect(context, "ablation")
        if not row.is_variant and row.method not in others  # whose table is the comparison
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
