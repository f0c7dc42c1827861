"""The ablation table: the poster's five rows, then every other method, published | measured."""

from bench.facts import published
from bench.tables.context import Table, TableContext
from bench.tables.gaps import ties
from bench.tables.rows import Row, collect
from bench.tables.text import (
    EMBEDDED,
    column,
    covered,
    delta,
    measured,
    paper_column,
    quoted,
    unit,
)


def scatter_keys(context: TableContext) -> list[str]:
    """Return the metrics closeness and dispersion on the test classes, then on the seen ones."""
    scopes = list(context.primary)
    seen = [f"seen_{scope}" if context.per_split(scope) else "seen.full" for scope in scopes]
    scopes += list(dict.fromkeys(seen))
    return [f"{scope}.{metric}" for metric in ("closeness", "dispersion") for scope in scopes]


def measured_header(context: TableContext) -> str:
    """Return the line that says what the measured columns are."""
    scopes = ", ".join(context.primary)
    repeated = unit({context.per_draw(scope) for scope in context.primary})
    return (
        f"Measured ({scopes}): top-1 in percent of videos, mean ± sample deviation over n "
        f"{repeated}. C↓ closeness and D↑ dispersion are cosine distances on the test classes "
        "of the named data set and on the seen (training) classes."
    )


def build_ablation(context: TableContext) -> Table:
    """Build the ablation table; of each test data set the primary protocol (all stand in json)."""
    rows = [row for row in collect(context, "ablation") if not row.reading]
    facts = [number for number in published() if number.table == "ablation"]
    paper = list(dict.fromkeys(number.key for number in facts))
    compared = [n.key for n in {n.key: n for n in facts}.values() if context.comparable(n)]
    top1 = [context.headline(scope) for scope in context.primary]
    scatter = scatter_keys(context)
    found = ties(context, rows, top1)

    columns = [("", "method")]
    columns += [("published", paper_column(key)) for key in paper]
    columns += [("measured", column(key)) for key in top1]
    columns += [("Δ", column(key)) for key in compared]
    columns += [("measured", column(key)) for key in scatter]
    columns += [("measured", "n"), ("measured", "coverage"), ("", "status")]

    def cells(row: Row) -> list[str]:
        return [
            row.label,
            *(quoted(row.published.get(key)) for key in paper),
            *(measured(row, key, (row.name, key) in found.marked) for key in top1),
            *(delta(row, key) for key in compared),
            *(measured(row, key) for key in scatter),
            row.repeats(top1),
            covered(row, context.primary),
            row.state,
        ]

    header = [context.header, *([EMBEDDED] if context.is_embedded_world else [])]
    header.append(
        f"Published ({facts[0].source}): Kinetics-700 with τ = 0.05, 1 clip, every test class; "
        "it does not say on which classes closeness and dispersion were taken."
    )
    header.append(measured_header(context))
    if compared:
        header.append("Δ = measured − published, in points.")
    return Table(
        f"Ablation, profile {context.profile}",
        header,
        columns,
        [cells(row) for row in rows],
        [*found.notes, *(reason for row in rows for reason in row.reasons)],
        [row.as_json() | {"gaps": found.gaps[row.name]} for row in rows],
    )
