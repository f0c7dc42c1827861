"""docs/methods.md: a section per method, from docstrings, records and published numbers."""

import re
from collections.abc import Iterable, Mapping

from bench.data.reference import Published, published
from bench.experiments.method_registry import MethodFile
from bench.reports.tables.context import TableContext
from bench.reports.tables.rows import Row, collect
from bench.reports.tables.typed_table import number_text

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
