"""The comparison with other systems, and the same rows grouped by method."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import product
from typing import Any

from bench.data.reference import Published, published
from bench.errors import unknown
from bench.reports.tables.columns import (
    ALSO,
    STATUS,
    comparable,
    coverage,
    delta,
    measured,
    opening,
    quoted,
    repeats,
    with_marks,
    within,
)
from bench.reports.tables.context import TableContext
from bench.reports.tables.row_gaps import with_ties
from bench.reports.tables.rows import Row, collect
from bench.reports.tables.typed_table import Column, Table, Value, filled

MODERN = (
    "'modern' rows (CLIP era) stand apart: their image-text pre-training is uncontrolled and may "
    "hold the test classes, so they are not zero-shot in the sense of the other rows."
)

HARMONIC = "Of gzsl H: the harmonic mean of the class-mean accuracies, seen and unseen."


def groups(context: TableContext, facts: list[Published]) -> Iterator[tuple[str, str, list[Row]]]:
    """Yield (block, protocol, rows): the poster's rows with measured numbers, then modern ones."""
    rows, _ = with_marks(context, _systems(context))
    tested = dict.fromkeys(protocol for names in context.tests.values() for protocol in names)
    protocols = dict.fromkeys([*(number.protocol for number in facts), *tested])
    for block, protocol in product(("sota", "modern"), protocols):
        order = [n.method for n in facts if (n.table, n.protocol) == (block, protocol)]
        here = []
        for row in rows:
            own = {key: n for key, n in row.published.items() if n.protocol == protocol}
            numbers = {key: n for key, n in own.items() if n.table == block}
            runs = row.status != "quoted" and protocol in tested
            belongs = row.modern == (block == "modern") and not own
            if not numbers and not (belongs and runs):
                continue
            state = f"quoted; {row.state}" if numbers else row.state
            part = replace(
                row,
                label=_label(row, numbers),
                status=row.status if runs else "quoted",
                state=state if runs else "quoted",
                worst=row.worst if runs else "quoted",
                records=row.under(protocol),
                values={k: v for k, v in row.values.items() if k.split(".")[1] == protocol},
                published=numbers,
            )
            here.append(part)
        if here:  # in the poster's order, then the others
            here.sort(key=lambda row: order.index(row.method) if row.published else len(order))
            yield block, protocol, here


def _systems(context: TableContext) -> list[Row]:
    return [row for row in collect(context, "sota", "modern") if not row.is_variant]


def _label(row: Row, numbers: Mapping[str, Published]) -> str:
    label = next((number.label for number in numbers.values()), row.label)
    return f"{label}, style" if row.approximates.startswith("style") else label


def _note(row: Row) -> str:
    """Return notes on a row's published numbers, without repetition."""
    parts = []
    for number in row.published.values():
        if number.splits and number.splits > 1 and str(number.splits) not in number.protocol:
            parts.append(f"{number.splits} splits")  # the names half10 and official3 say it
        if number.clips:
            parts.append(f"{number.clips} clips")
        if number.note:
            own = f"{number.dataset.upper()}: " if len(number.note) > 60 else ""
            parts.append(own + number.note)
    return "; ".join(dict.fromkeys(parts))


def _approximated(row: Row) -> str | None:
    """Return how a measured row differs from the published system."""
    if not row.records:
        return None
    return row.approximates or ("nothing" if row.published else None)


def _given(rows: Iterable[Row]) -> list[str]:
    """Return a line on what made the inputs of these rows."""
    made = {f"{name}: {source}" for row in rows for name, source in row.inputs.items() if source}
    return [f"Inputs that rows are given. {'; '.join(sorted(made))}."] if made else []


def _trained_on(context: TableContext, scope: str) -> str:
    if not context.per_split(scope):
        return context.train
    seen, unseen = context.draw_sizes(scope)
    return f"{scope.split('.')[0]} (seen {'half' if abs(seen - unseen) <= 1 else 'classes'})"


def _join(names: Iterable[str]) -> str | None:
    return ", ".join(dict.fromkeys(names)) or None


def columns_of(
    context: TableContext, facts: list[Published], block: str, protocol: str
) -> list[Column]:
    """Return the columns for one protocol; their names do not depend on it."""

    def keys(datasets: Iterable[str]) -> list[str]:
        return [context.headline(f"{name}.{protocol}") for name in dict.fromkeys(datasets)]

    def label(row: Row) -> str:
        return row.name_shown + " τ" * any(n.tau_filtered for n in row.published.values())

    def trained(row: Row) -> str | None:
        if "checkpoint" in row.reading:
            return None  # not known here
        if row.learning == "none" and row.records:
            return "nothing"
        scopes = (key.rpartition(".")[0] for key in context.tested(protocol) if row.values.get(key))
        return _join(_trained_on(context, scope) for scope in scopes)

    name = protocol if block == "sota" else f"{protocol} ({block})"
    return [
        Column("", "protocol", lambda row: name),
        Column("", "method", label),
        *(quoted(key) for key in keys(n.dataset for n in facts)),
        Column(
            "published", "trained on", lambda row: _join(n.train for n in row.published.values())
        ),
        *(measured(key) for key in keys(context.tests)),
        repeats(context.tested(protocol)),
        *within(context, context.tested(protocol), context.headlines),
        Column("measured", "trained on", trained),
        Column("measured", "approximated", lambda row: _approximated(row)),
        coverage(context, (key.rpartition(".")[0] for key in context.tested(protocol))),
        *(delta(context, key) for key in keys(n.dataset for n in facts if comparable(context, n))),
        Column("published", "note", lambda row: _note(row) or None),
        Column("published", "source", lambda row: _join(n.source for n in row.published.values())),
        STATUS,
    ]


def build_sota(context: TableContext) -> Table:
    """Build the comparison; ``comparability`` decides where there is a Δ."""
    facts = [number for number in published() if number.table != "ablation"]
    columns = columns_of(context, facts, "", "")
    table: list[list[Value]] = []
    data: list[dict[str, Any]] = []
    _, notes = with_marks(context, _systems(context))
    for block, protocol, found in groups(context, facts):
        rows, ties = with_ties(context, found, context.tested(protocol))
        columns = columns_of(context, facts, block, protocol)
        table += filled(columns, rows)
        notes += [*ties, *(note for row in rows if row.status != "quoted" for note in row.reasons)]
        for row in rows:
            own = {
                "block": block,
                "protocol": protocol,
                "train": list(dict.fromkeys(n.train for n in row.published.values())),
                "note": _note(row),
                "gaps": row.gaps,
            }
            data.append(row.as_json() | own)
    scopes = [f"{name}.{p}" for name, protocols in context.tests.items() for p in protocols]
    header = [
        *opening(context),
        *_given(collect(context)),
        "Top-1 in percent of videos. Numbers under different protocols are not comparable. Every "
        "published number is quoted from its source. A system marked τ was trained without the "
        "classes near a test class.",
        f"Measured: mean ± sample deviation over n {context.repeated(scopes)}.",
        *([ALSO] if within(context, [], context.headlines) else []),
        *([HARMONIC] if any(scope.endswith(".gzsl") for scope in scopes) else []),
        MODERN,
    ]
    title = f"Comparison with other systems, profile {context.profile}"
    names = [column[:2] for column in columns]
    return Table(title, header, names, table, list(dict.fromkeys(notes)), data)


_LEFT_OUT = {"note", "source", "approximated"}


def build_protocols(context: TableContext) -> Table:
    """Build the table; ``context.only`` names the one method that it shows ("" for all)."""
    facts = [number for number in published() if number.table != "ablation"]
    by_row: dict[str, list[tuple[str, str, Row]]] = {}
    for block, protocol, rows in groups(context, facts):
        for row in rows:
            if context.only in ("", row.method, row.name):
                by_row.setdefault(row.name, []).append((block, protocol, row))
    if context.only and not by_row:
        known = {row.method for _, _, rows in groups(context, facts) for row in rows}
        raise unknown("method", context.only, known)
    columns = columns_of(context, facts, "", "")
    shown = [at for at, column in enumerate(columns) if column.name not in _LEFT_OUT]
    shown[:2] = shown[1], shown[0]  # the method before the protocol
    table, data = [], []
    for found in by_row.values():
        for block, protocol, row in found:
            (line,) = filled(columns_of(context, facts, block, protocol), [row])
            table.append([line[at] for at in shown])
            data.append(row.as_json() | {"block": block, "protocol": protocol})
    header = [
        *opening(context),
        "Top-1 in percent of videos. Numbers under different protocols are not comparable: half of "
        "the classes is always easier than all of them. Published numbers are quoted.",
        *([ALSO] if within(context, [], context.headlines) else []),
    ]
    names = [columns[at][:2] for at in shown]
    title = f"Every method under every protocol, profile {context.profile}"
    shown_rows = [found[0][2] for found in by_row.values()]
    _, legend = with_marks(context, shown_rows)
    return Table(title, header, names, table, legend, data)
