"""The alternative readings that were run, each beside its method's default row."""

from dataclasses import replace
from functools import partial

from bench.evaluation.stats.spread import spread
from bench.reports.tables.comparability import opening
from bench.reports.tables.context import Column, Table, TableContext, filled
from bench.reports.tables.flags import with_marks
from bench.reports.tables.rows import MISSING, Row, collect
from bench.reports.tables.significance import corrected, gap
from bench.reports.tables.text import STATUS, heading, measured, repeats

LOSSES = {"L_US": "L_US", "L_US_floor": "L_US at Z≡Θ", "cos_Z": "cos Z", "cos_Theta": "cos Θ"}


def _loss(row: Row, name: str) -> float | None:
    found = [record.losses[name] for record in row.records if name in record.losses]
    return spread(found).mean if found else None


def _final(row: Row, name: str) -> str:
    value = _loss(row, name)
    return MISSING if value is None else f"{value:.3f}"


def _to_default(row: Row, key: str) -> str:
    found = next((one for one in row.gaps if one["metric"] == key), None)
    if found is None:
        return MISSING
    difference = f"{found['difference']:+.1f}"
    return difference if found["larger_than_noise"] else f"({difference})"


def _reading(row: Row) -> str:
    return ", ".join(f"{name} = {value}" for name, value in row.reading.items()) or "default"


def build_readings(context: TableContext) -> Table:
    """Build the table of readings; a method that has none stands in it if it logs L_US."""
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
