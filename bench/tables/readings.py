"""The alternative readings that were run, each beside its method's default row."""

from typing import Any

from bench.stats import spread
from bench.tables.context import Table, TableContext
from bench.tables.gaps import as_json, gap
from bench.tables.rows import MISSING, Row, collect
from bench.tables.text import EMBEDDED, column, measured, unit

LOSSES = {"L_US": "L_US", "L_US_floor": "L_US at Z≡Θ", "cos_Z": "cos Z", "cos_Theta": "cos Θ"}


def _loss(row: Row, name: str) -> float | None:
    found = [record.losses[name] for record in row.records if name in record.losses]
    return spread(found).mean if found else None


def build_readings(context: TableContext) -> Table:
    """Build the table of readings; a method that has none stands in it if it logs L_US."""
    every = collect(context)
    varied = {row.method for row in every if row.reading}
    rows = [row for row in every if row.method in varied or _loss(row, "L_US") is not None]
    default = {row.method: row for row in every if not row.reading}
    top1 = [context.headline(scope) for scope in context.primary]
    table, data = [], []
    for row in rows:
        base = default.get(row.method)
        gaps: list[dict[str, Any]] = []
        for key in top1:
            if row.reading and base and (found := gap(context, row, base, key)):
                gaps.append(as_json(found, key, base.name))
        losses = {name: _loss(row, name) for name in LOSSES}
        reading = ", ".join(f"{name} = {value}" for name, value in row.reading.items())
        table.append(
            [
                default[row.method].label if row.method in default else row.label,
                reading or "default",
                *(measured(row, key) for key in top1),
                *(_difference(gaps, key) for key in top1),
                *(MISSING if value is None else f"{value:.3f}" for value in losses.values()),
                row.repeats(top1),
                row.state,
            ]
        )
        data.append(row.as_json() | {"gaps": gaps, "losses": losses})
    columns = [("", "method"), ("", "reading")]
    columns += [("measured", column(key)) for key in top1]
    columns += [("to default", column(key)) for key in top1]
    columns += [("final", name) for name in LOSSES.values()]
    columns += [("measured", "n"), ("", "status")]
    repeated = unit({context.per_draw(scope) for scope in context.primary})
    header = [context.header, *([EMBEDDED] if context.is_embedded_world else [])]
    header.append(
        f"Top-1 in percent ({', '.join(context.primary)}), mean ± sample deviation over n "
        f"{repeated}; 'to default' is the difference to the method's own default, in "
        "parentheses where it is not larger than noise or n is too small to tell."
    )
    header.append(
        "Final: L_US at the end of training beside the value that it has where Z and Θ agree "
        "perfectly, and the mean pairwise cosines of the synthetic classes Z and Θ."
    )
    notes = [reason for row in rows for reason in row.reasons]
    if not varied:
        notes.insert(0, f"No alternative reading is planned: {context.readings_hint}.")
    title = f"Alternative readings, profile {context.profile}"
    return Table(title, header, columns, table, notes, data)


def _difference(gaps: list[dict[str, Any]], key: str) -> str:
    for found in gaps:
        if found["metric"] == key:
            text = f"{found['difference']:+.1f}"
            return text if found["larger_than_noise"] else f"({text})"
    return MISSING
