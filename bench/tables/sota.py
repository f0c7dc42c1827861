"""The comparison with other systems: every published number, grouped by protocol, as quoted."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from bench.config import PER_SPLIT
from bench.facts import Published, published
from bench.tables.context import Table, TableContext
from bench.tables.gaps import Ties, ties
from bench.tables.rows import MISSING, Row, collect
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

MODERN = (
    "'modern' rows (CLIP era) stand apart: their image-text pre-training is uncontrolled and may "
    "hold the test classes, so they are not zero-shot in the sense of the other rows."
)


def _groups(context: TableContext) -> list[tuple[str, str, list[Row]]]:
    """Return (block, protocol, rows): the poster's rows with what was measured, then modern."""
    facts = [number for number in published() if number.table != "ablation"]
    rows = [row for row in collect(context, "sota", "modern") if not row.reading]
    planned = dict.fromkeys(protocol for names in context.tests.values() for protocol in names)
    protocols = dict.fromkeys([*(number.protocol for number in facts), *planned])
    groups = []
    for block in ("sota", "modern"):
        for protocol in protocols:
            quoted_here = [n.method for n in facts if (n.table, n.protocol) == (block, protocol)]
            here = []
            for row in rows:
                part = row.only(protocol)
                numbers = {k: n for k, n in part.published.items() if n.table == block}
                runs = row.status != "quoted" and protocol in planned
                if numbers:
                    label = next(iter(numbers.values())).label
                    part = replace(part, label=label, published=numbers)
                    if runs:
                        part = replace(part, state=f"quoted; {row.state}")
                    else:
                        part = replace(part, status="quoted", state="quoted", planned={})
                elif block == "modern" or not runs:
                    continue
                here.append(part)
            here.sort(  # the poster's order, then the others as they came
                key=lambda row: quoted_here.index(row.method) if row.published else len(facts)
            )
            if here:
                groups.append((block, protocol, here))
    return groups


def _note(numbers: list[Published]) -> str:
    """Return what a reader must know of a row's published numbers, each thing once."""
    parts: dict[str, None] = {}
    for number in numbers:
        if number.protocol in PER_SPLIT and number.splits:
            parts[f"{number.splits} splits"] = None
        if number.clips:
            parts[f"{number.clips} clips"] = None
        if number.note:
            own = f"{number.dataset.upper()}: " if len(number.note) > 60 else ""
            parts[own + number.note] = None
    return "; ".join(parts)


def _join(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names)) or MISSING


def build_sota(context: TableContext) -> Table:
    """Build the comparison; a Δ stands only where data set, protocol and clips are the same."""
    groups = _groups(context)
    facts = [number for number in published() if number.table != "ablation"]
    papers = list(dict.fromkeys(number.dataset for number in facts))
    compared = list(dict.fromkeys(n.dataset for n in facts if context.comparable(n)))
    columns = [("", "protocol"), ("", "method")]
    columns += [("published", paper_column(f"{name}..top1")) for name in papers]
    columns += [("published", "trained on")]
    columns += [("measured", column(f"{name}..top1")) for name in context.tests]
    columns += [("measured", name) for name in ("n", "trained on", "coverage")]
    columns += [("Δ", column(f"{name}..top1")) for name in compared]
    columns += [("published", "note"), ("published", "source"), ("", "status")]

    table: list[list[str]] = []
    data: list[dict[str, Any]] = []
    notes: dict[str, None] = {}
    for block, protocol, rows in groups:
        keys = [context.headline(f"{name}.{protocol}") for name in context.tests]
        tested = [key for key in keys if protocol in context.tests[key.split(".")[0]]]
        found = ties(context, rows, tested)
        notes |= dict.fromkeys(found.notes)
        for row in rows:
            table.append(_cells(context, row, block, protocol, papers, keys, compared, found))
            notes |= dict.fromkeys(row.reasons if row.status != "quoted" else [])
            numbers = {
                "block": block,
                "protocol": protocol,
                "train": list(dict.fromkeys(n.train for n in row.published.values())),
                "note": _note(list(row.published.values())),
                "gaps": found.gaps[row.name],
            }
            data.append(row.as_json() | numbers)
    scopes = {f"{name}.{p}" for name, protocols in context.tests.items() for p in protocols}
    header = [context.header, *([EMBEDDED] if context.is_embedded_world else [])]
    header.append(
        "Top-1 in percent of videos. Numbers under different protocols are not comparable. Every "
        "published number is quoted from its source. A system marked τ was trained without the "
        "classes near a test class."
    )
    repeated = unit({context.per_draw(scope) for scope in scopes})
    header += [f"Measured: mean ± sample deviation over n {repeated}.", MODERN]
    if any(scope.endswith(".gzsl") for scope in scopes):
        header.append("Of gzsl H: the harmonic mean of the class-mean accuracies, seen and unseen.")
    title = f"Comparison with other systems, profile {context.profile}"
    return Table(title, header, columns, table, list(notes), data)


def _cells(
    context: TableContext,
    row: Row,
    block: str,
    protocol: str,
    papers: list[str],
    keys: list[str],
    compared: list[str],
    found: Ties,
) -> list[str]:
    numbers = [n for n in row.published.values() if n.metric == "top1"]
    tau = " τ" if any(n.tau_filtered for n in numbers) else ""
    tested = [key for key in keys if protocol in context.tests[key.split(".")[0]]]
    trained = [
        f"{key.split('.')[0]} (seen classes)"
        if context.per_split(key.rpartition(".")[0])
        else context.train
        for key in tested
        if row.values.get(key)
    ]
    by_dataset = {n.dataset: n for n in numbers}
    differences = [
        delta(row, n.key) if (n := by_dataset.get(name)) and context.comparable(n) else MISSING
        for name in compared
    ]
    return [
        protocol if block == "sota" else f"{protocol} ({block})",
        row.label + tau,
        *(quoted(row.published.get(f"{name}.{protocol}.top1")) for name in papers),
        _join(n.train for n in numbers),
        *(measured(row, key, (row.name, key) in found.marked) for key in keys),
        row.repeats(tested) if tested else MISSING,
        _join(trained),
        covered(row, [key.rpartition(".")[0] for key in tested])
        if tested and row.status != "quoted"
        else MISSING,
        *differences,
        _note(numbers) or MISSING,
        _join(n.source for n in numbers),
        row.state,
    ]
