"""The project from Python: ``import bench; bench.load(…)``, ``bench.table(…)`` and the others.

Each function finds the project from the working folder; ``root`` names another folder in it. What
is wrong is a ``bench.UserError`` of one line.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.pipeline.inference.trained_row import default_row, find_cell, opened

if TYPE_CHECKING:
    import pandas as pd

    from bench.pipeline.inference.trained_row import Trained

Root = Path | str | None


def load(
    method: str,
    seed: int = 0,
    *,
    split: str | None = None,
    profile: str | None = None,
    root: Root = None,
) -> "Trained":
    """Return a trained row: its networks, record and parameters.

    ``method`` is a method or a row (``method+parameter=value``), ``split`` the training split
    (default: transfer, else the first). Warns if the method or the training core has changed since.
    """
    from warnings import warn

    config, layout = opened(profile, root)
    found = find_cell(config, layout, method, seed, split)
    from bench.pipeline.inference.trained_row import Trained

    row = Trained(config, layout, found)
    if row.note:
        warn(row.note, stacklevel=2)
    return row


def classify(
    video: Path | str,
    classes: Sequence[str],
    method: str | None = None,
    seed: int = 0,
    *,
    top: int | None = None,
    profile: str | None = None,
    root: Root = None,
) -> "pd.DataFrame":
    """Rank your own class names for your own video: rank, class, similarity, seen in training.

    Without ``method`` by the system that the project is about: the one row of the published
    ablation that the published comparison has, too. To classify many videos, ``load`` once.
    """
    name = method or default_row(opened(profile, root)[1])
    return load(name, seed, profile=profile, root=root).classify(video, classes, top)


def table(
    which: str = "ablation",
    *,
    method: str = "",
    numbers: bool = False,
    profile: str | None = None,
    root: Root = None,
) -> "pd.DataFrame":
    """Return a table as `bench table --which …` prints it, with its header and notes.

    Columns are (group, name); the groups separate published from measured numbers. The texts carry
    ± and *; with ``numbers`` the columns are (metric, published/mean/std/n) as floats. ``attrs``
    has the title, header and notes.
    """
    from bench.api.dataframes import numbers_of, shown
    from bench.reports.tables import build
    from bench.reports.tables.context import read_context

    config, layout = opened(profile, root)
    found = build(which, read_context(config, layout, method))
    return numbers_of(found) if numbers else shown(found)


def results(profile: str | None = None, *, root: Root = None) -> "pd.DataFrame":
    """Return one row per cell: what it is, its state, and every metric as a column."""
    from bench.api.dataframes import one_row_a_cell
    from bench.reports.tables.context import read_context
    from bench.reports.tables.rows import cells

    return one_row_a_cell(cells(read_context(*opened(profile, root))))


def splits(
    dataset: str, protocol: str, *, profile: str | None = None, root: Root = None
) -> "pd.DataFrame":
    """Return a protocol's class splits: one row a split, class and side (seen, unseen, …)."""
    from bench.api.dataframes import split_rows
    from bench.pipeline.class_splits import find_splits

    start = Path(root) if root else None
    return split_rows(find_splits(dataset, protocol, profile, start=start)[0])
