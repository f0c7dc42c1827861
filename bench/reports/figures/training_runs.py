"""The training behind a record, in runs/: its log, embeddings and visual centres."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.config.paths import Layout
from bench.errors import UserError
from bench.experiments.cell_cache import AGAIN, EMBEDDINGS
from bench.experiments.record import Record
from bench.experiments.record import Run as RunFile
from bench.models.similarity import cosine
from bench.utils.io import known_digest

Floats = NDArray[np.float64]


def no_runs_message(layout: Layout, row: str) -> str:
    """Return the message for a row without a training in runs/."""
    folder = layout.runs.relative_to(layout.root)
    return (
        f"{folder} does not contain the trainings of '{row}' behind its records; run "
        "'dvc pull' or 'dvc repro', then 'bench report'."
    )


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
        return _tensors(self._file(EMBEDDINGS), f"{dataset}.")

    def centres(self) -> Floats | None:
        """Return the visual class centres W [K,D] of the seen classes; None if it has none."""
        path = self._file("model.safetensors")
        found = _tensors(path, "W", exactly=True).get("W") if path.is_file() else None
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
        if not (folder / "run.json").is_file():
            continue
        run = RunFile.read(folder / "run.json")
        if run and run.fingerprint == record.fingerprint:
            names = {name: one.names for name, one in run.embedded.items()}
            found.append(Run(record, folder, names, run.files))
    return found


def ranking(arrays: dict[str, NDArray[Any]]) -> Floats:
    """Return the score of every video with every class [N,K]: the method's own, or the cosine."""
    if "score" in arrays:
        return np.asarray(arrays["score"], np.float64)
    return cosine(arrays["video"], arrays["class"])


def _tensors(path: Path, start: str, exactly: bool = False) -> dict[str, NDArray[Any]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as file:
            keys = [
                k for k in list(file.keys()) if (k == start if exactly else k.startswith(start))
            ]
            return {k if exactly else k.removeprefix(start): file.get_tensor(k) for k in keys}
    except (OSError, SafetensorError) as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> UserError:
    return UserError(f"{path}: damaged ({error}); delete its folder and run 'bench train'")


def confusions(runs: Sequence[Run], dataset: str) -> tuple[list[str], Floats, int]:
    """Return classes, counts [true, predicted] summed over trainings, and the trainings counted."""
    names = sorted({name for run in runs for name in run.names.get(dataset, ())})
    place = {name: at for at, name in enumerate(names)}
    counts = np.zeros((len(names), len(names)))
    n = 0
    for run in runs:
        if dataset not in run.names:
            continue
        arrays = run.arrays(dataset)
        here = np.array([place[name] for name in run.names[dataset]])
        if len(arrays.get("label", ())) and len(here) == len(arrays["class"]):
            first = ranking(arrays).argmax(1)
            np.add.at(counts, (here[arrays["label"]], here[first]), 1)
            n += 1
    return names, counts, n
