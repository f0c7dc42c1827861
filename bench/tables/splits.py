"""The class splits and the training classes that the τ exclusion leaves out, as tables."""

from typing import Any

from bench.tables.cells import read_splits
from bench.tables.context import Table, TableContext
from bench.tables.rows import MISSING

NEAREST_KEPT = 10
_MORE = {"videos": "listed videos", "held_out": "seen videos", "validation": "validation"}


def _range(counts: list[int]) -> str:
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low} to {high}"


def build_splits(context: TableContext) -> Table:
    """Build the table of split files: protocol, definition, number of splits, classes, digest."""
    rows, data = [], []
    for dataset, protocols in context.tests.items():
        for protocol in protocols:
            stored = read_splits(context, f"{dataset}.{protocol}")
            entry: dict[str, Any] = {"dataset": dataset, "protocol": protocol}
            if stored is None:
                rows.append([dataset, protocol, *[MISSING] * 5, "not built"])
                data.append(entry | {"status": "not built"})
                continue
            splits = stored["splits"]
            seen = [len(split["seen"]) for split in splits] or [0]
            unseen = [len(split["unseen"]) for split in splits] or [0]
            more = [
                f", {_range([len(split[key]) for split in splits])} {text}"
                for key, text in _MORE.items()
                if splits and all(key in split for split in splits)
            ]
            counts = (str(len(splits)), _range(seen), "".join([_range(unseen), *more]))
            rows.append([dataset, protocol, stored["definition"], *counts, stored["digest"], "ok"])
            entry |= {"definition": stored["definition"], "splits": len(splits), "seen": seen}
            data.append(entry | {"unseen": unseen, "digest": stored["digest"], "status": "ok"})
    names = ("data set", "protocol", "definition", "splits", "seen", "unseen", "digest", "status")
    missing = any(row[-1] == "not built" for row in rows)
    return Table(
        f"Class splits, profile {context.profile}",
        [context.header, "Seen and unseen: classes of a split (training and test)."],
        [("", name) for name in names],
        rows,
        ["Build the missing split files: run 'dvc repro'."] if missing else [],
        data,
    )


def build_overlap(context: TableContext) -> Table:
    """Build the table of the removed training classes, then of the nearest that were kept."""
    columns = [("", name) for name in ("class", "kept", "nearest test class", "data set")]
    columns.append(("", "distance"))
    title = f"Training classes near a test class, profile {context.profile}"
    stored = read_splits(context, "overlap")
    if stored is None:
        note = "No overlap file: run 'dvc repro' (a profile without a training data set has none)."
        return Table(title, [context.header], columns, [], [note])
    classes = sorted(stored["classes"], key=lambda one: (one["distance"], one["class"]))
    removed = [one for one in classes if not one["kept"]]
    kept = [one for one in classes if one["kept"]]
    shown = removed + kept[:NEAREST_KEPT]
    tau = stored["tau"]
    rule = (
        f"τ = {tau}: a class is kept if no test class is nearer (cosine distance of the class "
        "vectors)."
        if tau > 0
        else "τ = 0: no class is left out."
    )
    return Table(
        title,
        [
            context.header,
            f"{rule} Kept {len(kept)} of {len(classes)} classes of {stored['train']}; test classes "
            f"of {', '.join(stored['test'])}. Digest {stored['digest']}.",
        ],
        columns,
        [
            [
                one["class"],
                "yes" if one["kept"] else "no",
                one["nearest"],
                one["dataset"],
                f"{one['distance']:.3f}",
            ]
            for one in shown
        ],
        [f"All {len(removed)} removed classes, then the {len(shown) - len(removed)} nearest kept."],
        shown,
    )
