"""The table of a sweep: one row a setting of a method, never mixed with the other tables."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from bench.reports.tables.columns import number_text
from bench.reports.tables.context import EMBEDDED, Column, Table, filled
from bench.reports.tables.rows import MISSING

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
        Column("", "status", lambda row: row["state"]),
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


def _set(row: Mapping[str, Any], name: str) -> str:
    value = row["set"].get(name, MISSING)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _number(row: Mapping[str, Any], key: str) -> str:
    found = row["metrics"].get(key)
    return number_text(found["mean"], found["std"], key) if found else MISSING


def _n(row: Mapping[str, Any]) -> str:
    counts = dict.fromkeys(str(one["n"]) for one in row["metrics"].values())
    return ", ".join(counts) or MISSING


def _classes(row: Mapping[str, Any]) -> str:
    found = row["classes"]
    return f"{found['kept']}/{found['of']}" if found else MISSING


def _coverage(row: Mapping[str, Any]) -> str:
    scored, expected = row["coverage"] or (0, 0)
    return f"{scored}/{expected}" if expected else MISSING
