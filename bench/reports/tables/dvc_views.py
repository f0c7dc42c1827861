"""Files for ``dvc metrics`` and ``dvc plots``: one file of metrics per row, and plot data."""

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

from bench.reports.tables.context import TableContext
from bench.reports.tables.rows import Row, collect
from bench.reports.tables.typed_table import SCATTER, number_text


def metrics(context: TableContext) -> dict[str, dict[str, Any]]:
    """Return row -> data set -> protocol -> metric -> mean, std, n, of rows with current numbers.

    Accuracies in percent; n counts seeds or draws; there is no std for n = 1.
    """
    found: dict[str, dict[str, Any]] = {}
    for row in _measured(context):
        values: dict[str, Any] = {}
        for key in context.headlines:
            spread = row.spread(key)
            if spread is None:
                continue
            dataset, protocol, metric = key.split(".")
            number = {"mean": round(spread.mean, 4)}
            if spread.std is not None:
                number["std"] = round(spread.std, 4)
            number["n"] = spread.n
            values.setdefault(dataset, {}).setdefault(protocol, {})[metric] = number
        if values:
            found[row.name] = values
    return found


def plots(context: TableContext) -> dict[str, str]:
    """Return file name -> CSV: accuracy of every default row, and its closeness and dispersion."""
    accuracy, plane = [], []
    for row in _measured(context):
        if row.is_variant:
            continue
        for scope in context.primary:
            key = context.headline(scope)
            if (spread := row.spread(key)) is not None:
                text = f"{number_text(spread.mean, spread.std, key)} (n = {spread.n})"
                bar = {"row": f"{row.label}, {scope.replace('.', ' ')}: {text}"}
                accuracy.append(bar | {"top1": f"{spread.mean:.4f}"})
            pair = {metric: row.spread(f"{scope}.{metric}") for metric in SCATTER}
            if all(pair.values()):
                point: dict[str, Any] = {"row": row.label, "scope": scope}
                for metric, one in pair.items():
                    point[metric] = f"{one.mean:.4f}" if one else ""
                    std = one.std if one else None
                    point[f"{metric} std"] = "" if std is None else f"{std:.4f}"
                    point["n"] = one.n if one else 0
                plane.append(point)
    return {"accuracy.csv": table(accuracy, "row"), "plane.csv": table(plane, "row")}


def table(rows: Iterable[Mapping[str, Any]], *columns: str) -> str:
    """Return rows as CSV; ``columns`` are the head of a table without rows."""
    listed = list(rows)
    out = io.StringIO()
    writer = csv.DictWriter(out, list(listed[0]) if listed else list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(listed)
    return out.getvalue()


def _measured(context: TableContext) -> list[Row]:
    return [row for row in collect(context) if row.is_current and row.values]
