"""Other output made from rows: docs/methods.md, files for ``dvc metrics`` and ``dvc plots``."""

import csv
import io
import re
from collections.abc import Iterable, Mapping
from typing import Any

from bench.data.reference import Published, published
from bench.experiments.method_registry import MethodFile
from bench.reports.tables.context import TableContext
from bench.reports.tables.rows import Row, collect
from bench.reports.tables.typed_table import SCATTER, number_text

_HEAD = """# The methods

Written by `bench methods --page`, from the docstrings of `methods/*.py`, the published numbers and
the committed records. What the inputs are made by differs between profiles: `docs/inputs.md`.
Numbers of `mini` come from a small generated world and say nothing about the paper.
"""


def methods_page(files: Mapping[str, MethodFile], contexts: Iterable[TableContext]) -> str:
    """Return the page: the published order first, then the other files of methods/, then quotes."""
    rows: dict[str, list[tuple[TableContext, Row]]] = {}
    for context in contexts:
        for row in collect(context):
            if not row.reading:
                rows.setdefault(row.method, []).append((context, row))
    numbers: dict[str, list[Published]] = {}
    for number in published():
        numbers.setdefault(number.method, []).append(number)
    ours = [name for name in numbers if name in files]
    parts = [_HEAD]
    for name in [*ours, *(name for name in files if name not in numbers)]:
        parts.append(_section(files[name], numbers.get(name, []), rows.get(name, [])))
    quoted = [found for name, found in numbers.items() if name not in files]
    if quoted:
        lines = "\n".join(f"* {found[0].label}: {_quotes(found)}" for found in quoted)
        parts.append(f"## Quoted only\n\n{lines}\n")
    return "\n".join(parts)


def _section(
    file: MethodFile, numbers: list[Published], rows: list[tuple[TableContext, Row]]
) -> str:
    title = numbers[0].label if numbers else file.label
    facts = [
        f"Needs {_listed(file.needs)}"
        + (f", uses {_listed(file.wants)} where there" * bool(file.wants))
    ]
    facts[0] += {"none": "; not trained.", "closed form": "; solved in closed form."}.get(
        file.learning, "; trained."
    )
    if file.approximates:
        facts.append(f"Approximated: {file.approximates}.")
    measured = [text for context, row in rows if (text := _measured(context, row))]
    facts.append(f"Measured: {'; '.join(measured) or 'nowhere yet'}.")
    if numbers:
        facts.append(f"Published: {_quotes(numbers)}.")
    body = file.problem or file.doc
    return f"## {title} (`{file.name}`)\n\n{_prose(body)}\n\n{' '.join(facts)}\n"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _measured(context: TableContext, row: Row) -> str:
    texts = ((scope, row.text(context.headline(scope))) for scope in context.primary)
    found = [f"{scope.replace('.', ' ')} {text}" for scope, text in texts if text]
    if not found and row.status != "quoted":
        return (
            f"{context.profile}: {row.reasons[0].partition(': ')[2] if row.reasons else row.state}"
        )
    return ", ".join(found)


def _quotes(numbers: list[Published]) -> str:
    top1 = [number for number in numbers if number.metric == "top1"]
    texts = [f"{n.dataset.upper()} {n.protocol} {number_text(n.value, n.std, n.key)}" for n in top1]
    return f"{', '.join(dict.fromkeys(texts))} ({', '.join(dict.fromkeys(n.source for n in top1))})"


def _prose(doc: str) -> str:
    """Return a docstring as Markdown: its lines as they are, double backquotes as single ones."""
    return re.sub(r"``", "`", doc).replace("<", "&lt;").replace("*", "\\*")


def metrics(context: TableContext) -> dict[str, dict[str, Any]]:
    """Return row -> data set -> protocol -> metric -> mean, std, n, of rows with current numbers.

    Accuracies in percent; n counts seeds or draws; there is no std for n = 1.
    """
    found: dict[str, dict[str, Any]] = {}
    for row in _current(context):
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
    for row in _current(context):
        if row.is_variant:
            continue
        for scope in context.primary:
            key = context.headline(scope)
            if (spread := row.spread(key)) is not None:
                bar = {"row": f"{row.label}, {scope.replace('.', ' ')}: {row.text(key)}"}
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


def _current(context: TableContext) -> list[Row]:
    return [row for row in collect(context) if row.is_current and row.values]
