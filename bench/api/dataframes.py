"""Tables, results and splits as pandas frames that a notebook shows as they are meant."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from bench.data.formats.split_file import SplitFile
from bench.errors import visible
from bench.reports.tables import Table
from bench.reports.tables.rows import Cell

SIDES = ("seen", "unseen", "validation")


class Shown(pd.DataFrame):
    """A frame that a notebook shows with its title, header and notes; parts of it are plain."""

    def _repr_html_(self) -> str:
        def lines(tag: str, texts: Sequence[str]) -> str:
            return "".join(f"<{tag}>{html.escape(text)}</{tag}>" for text in texts)

        title = html.escape(str(self.attrs.get("title", "")))
        notes = lines("li", self.attrs.get("notes", ()))
        return (
            f"<b>{title}</b>{lines('p', self.attrs.get('header', ()))}"
            f"{self.to_html(escape=True)}{f'<ul>{notes}</ul>' if notes else ''}"
        )


def shown(table: Table) -> Shown:
    """Return a table's texts, as printed, under (group, name) columns."""
    columns = pd.MultiIndex.from_tuples(
        [(visible(group), visible(name)) for group, name in table.columns]
    )
    rows = [[visible(cell) for cell in row] for row in table.texts]
    frame = Shown(rows, columns=columns)
    first = columns[0]
    if first == ("", "method"):
        frame = Shown(frame.set_index([first]).rename_axis("method"))
    frame.attrs.update(_attrs(table))
    return frame


def numbers_of(table: Table) -> Shown:
    """Return a table's numbers: (metric, published/mean/std/n) columns, one line a row (its index).

    Tables that have no metrics (splits, overlap) give their data as they are.
    """
    if not all("metrics" in one for one in table.data):
        frame = Shown(table.data)
    else:
        keys = dict.fromkeys(key for one in table.data for key in one["metrics"])
        rows = [_flat(one, list(keys)) for one in table.data]
        columns = pd.MultiIndex.from_tuples(list(rows[0])) if rows else None
        index = pd.Index([one["row"] for one in table.data], name="row")
        frame = Shown(rows, columns=columns, index=index)
    frame.attrs.update(_attrs(table))
    return frame


def _flat(one: Mapping[str, Any], keys: Sequence[str]) -> dict[tuple[str, str], Any]:
    about = ("label", "protocol", "status")
    found: dict[tuple[str, str], Any] = {("", name): one[name] for name in about if name in one}
    for key in keys:
        values = one["metrics"].get(key, {})
        for name in ("published", "mean", "std"):
            value = values.get(name)
            found[key, name] = float("nan") if value is None else float(value)
        found[key, "n"] = int(values.get("n", 0))
    return found


def _attrs(table: Table) -> dict[str, Any]:
    return {
        "title": visible(table.title),
        "header": list(map(visible, table.header)),
        "notes": list(map(visible, table.notes)),
    }


def one_row_a_cell(cells: Sequence[Cell]) -> pd.DataFrame:
    """Return every cell, planned or recorded: what it is, its state, its metrics.

    ``state`` is that of tables (ok, outdated, failed, …); a cell that may not be shown in a table
    has no metrics here either.
    """
    rows: dict[str, dict[str, Any]] = {}
    for cell in cells:
        about, record = cell.about, cell.record
        rows[about.cell] = {
            "row": about.row,
            "method": about.method,
            "label": about.label,
            "split": about.split,
            "seed": about.seed,
            "state": cell.state,
            "reason": cell.reason,
        }
        if record:
            rows[about.cell] |= {
                "fingerprint": record.fingerprint,
                "git_commit": record.git_commit,
                "wall_s": record.wall_s,
                "expected": sum(seen.expected for seen in record.coverage.values()),
                "scored": sum(seen.scored for seen in record.coverage.values()),
                **record.metrics,
            }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("cell")


def split_rows(file: SplitFile) -> pd.DataFrame:
    """Return a split file's classes: split, class, side."""
    rows = [
        (one["name"], name, side)
        for one in map(dict[str, Any], file.splits)
        for side in SIDES
        for name in one.get(side, ())
    ]
    frame = pd.DataFrame(rows, columns=["split", "class", "side"])
    names = ("dataset", "protocol", "definition", "digest")
    frame.attrs = {name: getattr(file, name) for name in names}
    return frame
