"""The data behind figures: the measured rows, and their trainings in runs/."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.config.paths import Layout
from bench.errors import UserError, unknown
from bench.evaluation.statistics import Gap, draws_gap, t_quantile
from bench.experiments.cell_cache import AGAIN, EMBEDDINGS
from bench.experiments.record import Record
from bench.experiments.record import Run as RunFile
from bench.models.similarity import cosine
from bench.reports.figures.drawing import MARKERS, PALETTE, Look
from bench.reports.tables.context import TableContext
from bench.reports.tables.rows import Row, collect
from bench.utils.io import known_digest

Floats = NDArray[np.float64]
NOT_MEASURED = "No row is measured yet; run 'dvc repro', then 'bench report'"


@dataclass(frozen=True)
class Material:
    """The measured rows of a profile, in the order of the tables."""

    context: TableContext
    layout: Layout
    chosen: tuple[str, str] | None = None  # rows to compare
    one: str = ""  # the row of the figures that show a single one
    looks: dict[str, Look] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        leading = [row.name for row in self.leading]
        colours = zip(leading, PALETTE, MARKERS, strict=False)
        self.looks.update({name: Look(colour, marker) for name, colour, marker in colours})
        others = [row.name for row in self.rows if row.name not in self.looks]
        self.looks.update({name: Look(number=str(i)) for i, name in enumerate(others, 1)})

    @cached_property
    def rows(self) -> list[Row]:
        """Every measured row, with readings; the label of a row that is not current says so."""
        return [
            row if row.is_current else replace(row, label=f"{row.label} ({row.status})")
            for row in collect(self.context, "ablation", "sota", "modern")
            if row.values
        ]

    @cached_property
    def own(self) -> list[Row]:
        """The measured rows without the alternative readings."""
        return [row for row in self.rows if not row.is_variant]

    @cached_property
    def leading(self) -> list[Row]:
        """The rows of the published ablation, or else the first rows; at most five."""
        names = {row.name for row in collect(self.context, "ablation") if row.published}
        return ([row for row in self.own if row.name in names] or self.own)[: len(PALETTE)]

    @cached_property
    def compare(self) -> tuple[Row, Row] | None:
        """The two rows to compare: those asked for, or else the last two leading ones.

        UserError for an unknown row or one that is not measured.
        """
        if self.chosen is None:
            return (self.leading[-2], self.leading[-1]) if len(self.leading) > 1 else None
        if self.chosen[0] == self.chosen[1]:
            raise UserError(f"'{self.chosen[0]}' is compared with itself; name two rows")
        return self._named(self.chosen[0]), self._named(self.chosen[1])

    @cached_property
    def row(self) -> Row | None:
        """The row of single-row figures: the one asked for, or else the first compared row."""
        if self.one:
            return self._named(self.one)
        return self.compare[0] if self.compare else next(iter(self.rows), None)

    def _named(self, name: str) -> Row:
        rows = {row.name: row for row in self.rows}
        if name not in rows:
            planned = {row.name: row for row in collect(self.context)}
            if name in planned:
                raise UserError(f"row '{name}' has no measured number ({planned[name].state})")
            raise unknown("row", name, rows)
        return rows[name]

    def interval(self, row: Row, key: str, to: float = 0.0) -> Gap | None:
        """Return mean − ``to`` of one accuracy with its 95 % interval; ``None`` if not measured.

        Over seeds of the same test classes: Student's t. Over draws of the classes: corrected for
        shared classes (``draws_gap``). Cut at 0 and 100 %. No interval for n = 1.
        """
        found = row.spread(key)
        if found is None:
            return None
        scope = key.rpartition(".")[0]
        if self.context.per_draw(scope):
            level = dict.fromkeys(row.values[key], to)
            gap = draws_gap(row.values[key], level, *self.context.draw_sizes(scope))
        else:
            gap = Gap(found.mean - to, None)
            if found.std is not None:
                half = t_quantile(found.n - 1) * found.std / found.n**0.5
                gap = replace(gap, interval=(gap.difference - half, gap.difference + half))
        if gap.interval is None:
            return gap
        low, high = gap.interval
        return replace(gap, interval=(max(low, 0.0 - to), min(high, 100.0 - to)))


@dataclass(frozen=True)
class Run:
    """One finished training whose fingerprint is that of its record."""

    record: Record
    folder: Path
    names: dict[str, list[str]]  # data set, or "seen" -> its classes, as they were embedded
    files: dict[str, str]  # name -> digest of a file that the training wrote

    def log(self) -> dict[str, list[float]]:
        """Return column -> values of the training's log; empty if it wrote none."""
        path = self._file("log.csv")
        try:
            with path.open(newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
            return {name: [float(row[name]) for row in rows] for name in (rows or [{}])[0]}
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError, csv.Error, UnicodeError) as error:
            raise _damaged(path, error) from None

    def arrays(self, dataset: str) -> dict[str, NDArray[Any]]:
        """Return the embeddings of a data set: video [N,D], class [K,D], label, row, score."""
        found = _tensors(self._file(EMBEDDINGS), f"{dataset}.")
        return {name.removeprefix(f"{dataset}."): value for name, value in found.items()}

    def centres(self) -> Floats | None:
        """Return the visual class centres W [K,D] of the seen classes; None if it has none."""
        path = self._file("model.safetensors")
        found = _tensors(path, "W").get("W") if path.is_file() else None
        return None if found is None else found.astype(np.float64)

    def _file(self, name: str) -> Path:
        path = self.folder / name
        found, written = known_digest(path), self.files.get(name, "")
        if found and written not in ("", found):
            raise UserError(f"{path}: not the file that the training wrote; {AGAIN}")
        return path


def runs_of(layout: Layout, records: Iterable[Record]) -> list[Run]:
    """Return the trainings behind records that are still in runs/.

    A missing or retrained folder is left out; UserError for a damaged one.
    """
    found = []
    for record in records:
        folder = layout.runs / record.cell
        run = RunFile.read(folder / "run.json")
        if run and run.fingerprint == record.fingerprint:
            names = {name: one.names for name, one in run.embedded.items()}
            found.append(Run(record, folder, names, run.files))
    return found


def runs_of_row(layout: Layout, row: Row | None) -> tuple[Row, list[Run]]:
    """Return a row and its trainings; UserError if there is no row, or nothing in runs/."""
    if row is None:
        raise UserError(NOT_MEASURED)
    if runs := runs_of(layout, row.records):
        return row, runs
    raise UserError(no_runs(layout, row.name))


def no_runs(layout: Layout, row: str) -> str:
    """Return the message for a row without a training in runs/."""
    return (
        f"{layout.runs.relative_to(layout.root)} does not contain the trainings of '{row}' behind "
        "its records; run 'dvc pull' or 'dvc repro', then 'bench report'"
    )


def ranking(arrays: dict[str, NDArray[Any]]) -> Floats:
    """Return the score of every video with every class [N,K]: the method's own, or the cosine."""
    if "score" in arrays:
        return np.asarray(arrays["score"], np.float64)
    return cosine(arrays["video"], arrays["class"])


def _tensors(path: Path, start: str) -> dict[str, NDArray[Any]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as file:
            return {k: file.get_tensor(k) for k in list(file.keys()) if k.startswith(start)}
    except (OSError, SafetensorError) as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> UserError:
    return UserError(f"{path}: damaged ({error}); delete its folder and run 'bench train'")
