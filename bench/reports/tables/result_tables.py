"""The tables of results: ablation, alternative readings, other systems, protocols, sweeps."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

from bench.data.reference import Published, published
from bench.errors import unknown
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
from bench.reports.tables.context import EMBEDDED, TableContext
from bench.reports.tables.row_gaps import corrected, gap, with_ties
from bench.reports.tables.rows import Row, collect
from bench.reports.tables.typed_table import (
    SCATTER,
    Column,
    Counts,
    Difference,
    Number,
    State,
    Table,
    Value,
    digits_of,
    filled,
    tabled,
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
        "it does not state on which classes closeness and dispersion were measured.",
        f"Measured ({', '.join(scopes)}): top-1 in percent of videos, mean ± sample deviation "
        f"over n {context.repeated(scopes)}. C↓ closeness and D↑ dispersion are cosine distances "
        "on the test classes of the named data set and on the seen (training) classes.",
        *([ALSO] if also else []),
        *(["Δ = measured − published, in points."] if compared else []),
    ]
    return tabled(
        f"Ablation, profile {context.profile}",
        header,
        columns,
        rows,
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
        "default, in parentheses where it is not significant (p > 0.05 after Holm's correction "
        "over the readings of a data set) or n is too small to tell.",
        "Final: L_US at the end of training, its value when Z and Θ agree perfectly, and the mean "
        "pairwise cosines of the synthetic classes Z and Θ.",
    ]
    none = "No alternative reading is planned: run 'bench train --readings && bench stage score'."
    return tabled(
        f"Alternative readings, profile {context.profile}",
        header,
        columns,
        rows,
        [*legend, *([] if varied else [none]), *(reason for row in rows for reason in row.reasons)],
        [
            row.as_json()
            | {"gaps": row.gaps, "losses": {name: _loss(row, name) for name in LOSSES}}
            for row in rows
        ],
    )


MODERN = (
    "'modern' rows (CLIP era) are listed separately: their image-text pre-training is uncontrolled "
    "and may hold the test classes, so they are not zero-shot in the sense of the other rows."
)

HARMONIC = "H (gzsl) is the harmonic mean of the class-mean accuracies on seen and unseen classes."


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
    return [f"Inputs of the rows: {'; '.join(sorted(made))}."] if made else []


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


_ON_TEST = (
    "Every setting was scored on test classes: a value chosen by this table is chosen on test "
    "data, and any number reported for it must say so."
)


def build_sweep(sweep: Mapping[str, Any], title: str, is_embedded_world: bool) -> Table:
    """Build the table of a sweep, saved or not; ``title`` is the profile's."""
    rows = sweep["rows"]
    keys = list(dict.fromkeys(key for row in rows for key in row["metrics"]))
    names = dict.fromkeys(sweep["parameters"])
    counted = [
        *([Column("", "classes kept", _classes)] if any(row["classes"] for row in rows) else []),
        *(Column("", _heading(key), partial(_number, key=key)) for key in keys),
        Column("", "n", _n),
        Column("", "coverage", _coverage),
        Column("", "status", lambda row: State(row["status"], row["state"])),
    ]
    columns = [
        Column("", "method", lambda row: row["label"]),
        *(Column("", _short(name, names), partial(_set, name=name)) for name in names),
        *counted,
    ]
    changed = any("settings" in row["state"] for row in rows)
    others = "as it was when this was saved" if changed else "as in params.yaml"
    over = sorted({one["over"] for row in rows for one in row["metrics"].values()})
    header = [
        title,
        *([EMBEDDED] if is_embedded_world else []),
        f"Top-1 in percent of videos, mean ± sample deviation over n {' or '.join(over) or 'seeds'}"
        f"; swept: {', '.join(names)}; everything else {others}.",
        _ON_TEST,
    ]
    if "tau" in names:
        header.append(
            "Settings of τ that keep the same classes share one training and have the same numbers."
        )
    reasons = dict.fromkeys(
        row["reason"] for row in rows if row["reason"] and row["status"] != "ok"
    )
    return tabled(
        f"Sweep over {', '.join(names)}, profile {sweep['profile']}",
        header,
        columns,
        rows,
        list(reasons),
        rows,
    )


def _short(name: str, names: Mapping[str, Any]) -> str:
    last = name.rpartition(".")[2]
    return last if sum(other.rpartition(".")[2] == last for other in names) == 1 else name


def _heading(key: str) -> str:
    dataset, protocol, metric = key.split(".")
    return f"{'H ' * (metric == 'harmonic')}{dataset} {protocol}"


def _set(row: Mapping[str, Any], name: str) -> Value:
    value = row["set"].get(name)
    return str(value).lower() if isinstance(value, bool) else value if value is None else str(value)


def _number(row: Mapping[str, Any], key: str) -> Value:
    found = row["metrics"].get(key)
    return found and Number(found["mean"], found["std"], digits_of(key))


def _n(row: Mapping[str, Any]) -> Value:
    counts = tuple((one["n"], None) for one in row["metrics"].values())
    return Counts(counts) if counts else None


def _coverage(row: Mapping[str, Any]) -> Value:
    scored, expected = row["coverage"] or (0, 0)
    return Counts.of(scored, expected) if expected else None


def _classes(row: Mapping[str, Any]) -> Value:
    found = row["classes"]
    return found and Counts.of(found["kept"], found["of"])
