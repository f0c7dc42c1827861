"""Tables of the class splits and of the training classes that τ excludes."""

from typing import Any

from bench.reports.tables.context import TableContext
from bench.reports.tables.typed_table import (
    Column,
    Counts,
    Number,
    State,
    Table,
    Value,
    tabled,
    text_of,
)

NEAREST_KEPT = 10
_COLUMNS = {"dataset": "data set"} | {
    name: name
    for name in ("protocol", "definition", "splits", "seen", "unseen", "digest", "status")
}


_MORE = {"videos": "listed videos", "held_out": "seen videos", "validation": "validation"}


def _value(value: Any) -> Value:
    """Return the cell of a text or a count; of a list of counts their range."""
    if isinstance(value, str):
        return value
    low, high = (min(value), max(value)) if isinstance(value, list) else (value, value)
    return Counts.of(low) if low == high else f"{low} to {high}"


def _cell(entry: dict[str, Any], key: str) -> Value:
    if key == "status":
        return State(entry[key], entry[key])
    if key not in entry:
        return None
    value = _value(entry[key])
    names = [name for name in _MORE.values() if name in entry] if key == "unseen" else []
    more = [f", {text_of(_value(entry[name]))} {name}" for name in names]
    return f"{value}{''.join(more)}" if more else value


def build_splits(context: TableContext) -> Table:
    """Build the table of split files: protocol, definition, number of splits, classes, digest."""
    data: list[dict[str, Any]] = []
    for dataset, protocols in context.tests.items():
        for protocol in protocols:
            entry: dict[str, Any] = {"dataset": dataset, "protocol": protocol}
            stored = context.split_file(f"{dataset}.{protocol}")
            if stored:
                splits: list[dict[str, Any]] = [dict(one) for one in stored.splits]
                entry |= {"definition": stored.definition, "splits": len(splits)}
                for side in ("seen", "unseen"):
                    entry[side] = [len(split[side]) for split in splits] or [0]
                for side, name in _MORE.items():
                    if splits and all(side in split for split in splits):
                        entry[name] = [len(split[side]) for split in splits]
                entry["digest"] = stored.digest
            data.append(entry | {"status": "ok" if stored else "not built"})
    missing = any(entry["status"] != "ok" for entry in data)
    return Table(
        f"Class splits, profile {context.profile}",
        [context.header, "Seen and unseen: the numbers of training and test classes of a split."],
        [("", name) for name in _COLUMNS.values()],
        [[_cell(entry, key) for key in _COLUMNS] for entry in data],
        ["Build the missing split files: run 'dvc repro'."] if missing else [],
        data,
    )


def build_overlap(context: TableContext) -> Table:
    """Build the table of excluded training classes and the nearest kept ones."""
    columns: list[Column] = [
        Column("", "class", lambda one: one["class"]),
        Column("", "kept", lambda one: "yes" if one["kept"] else "no"),
        Column("", "nearest test class", lambda one: one["nearest"]),
        Column("", "data set", lambda one: one["dataset"]),
        Column("", "distance", lambda one: Number(max(0.0, one["distance"]), digits=3)),
    ]
    header, shown = [context.header], []
    notes = ["No overlap file: run 'dvc repro' (a profile without a training data set has none)."]
    stored = context.overlap()
    if stored:
        classes = sorted(map(dict, stored.classes), key=lambda one: (one["distance"], one["class"]))
        removed = [one for one in classes if not one["kept"]]
        kept = [one for one in classes if one["kept"]]
        shown = removed + kept[:NEAREST_KEPT]
        rule = (
            f"τ = {stored.tau}: a class is kept if no test class is nearer (cosine distance of "
            "the class vectors)."
            if stored.tau > 0
            else "τ = 0: no class is left out."
        )
        header.append(
            f"{rule} Kept {len(kept)} of {len(classes)} classes of {stored.train}; test classes "
            f"of {', '.join(stored.test)}. Digest {stored.digest}."
        )
        nearest = len(shown) - len(removed)
        notes = [f"All {len(removed)} removed classes, then the {nearest} nearest kept."]
    title = f"Training classes near a test class, profile {context.profile}"
    return tabled(title, header, columns, shown, notes, shown)
