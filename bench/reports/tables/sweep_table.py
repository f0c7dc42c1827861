"""The table of a sweep: one row per setting of a method."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from bench.reports.tables.context import EMBEDDED
from bench.reports.tables.typed_table import (
    Column,
    Counts,
    Number,
    State,
    Table,
    Value,
    digits_of,
    filled,
)

_ON_TEST = (
    "Every setting was scored on test classes: a value chosen by this table is chosen on test "
    "data, and a number reported with it must say so."
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
    known = all("settings" in row for row in rows)
    others = "as in params.yaml" if known else "as it was when this was saved"
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
            "Settings of τ that keep the same classes are one training: their numbers are the same."
        )
    reasons = dict.fromkeys(
        row["reason"] for row in rows if row["reason"] and row["status"] != "ok"
    )
    return Table(
        f"Sweep over {', '.join(names)}, profile {sweep['profile']}",
        header,
        [column[:2] for column in columns],
        filled(columns, rows),
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


def _classes(row: Mapping[str, Any]) -> Value:
    found = row["classes"]
    return found and Counts.of(found["kept"], found["of"])


def _coverage(row: Mapping[str, Any]) -> Value:
    scored, expected = row["coverage"] or (0, 0)
    return Counts.of(scored, expected) if expected else None
