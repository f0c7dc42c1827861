"""Index of a data set: one row per video (path, class, frames, bytes), and a digest."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.data.formats.index_file import IndexFile
from bench.errors import UserError
from bench.utils.io import (
    DAMAGED,
    digest,
    file_digest,
    read_arrays,
    read_table,
    replacing,
)

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Index:
    """A data set as the stages see it: ``root`` + ``path`` is a file (kind videos), ``labels`` [N]
    counts in the sorted ``classes``; ``frames`` [N] is 0 where a video could not be decoded.
    """

    name: str
    kind: str
    root: Path
    classes: list[str]
    paths: list[str]
    labels: NDArray[np.int64]
    frames: NDArray[np.int64]
    digest: str
    rows: NDArray[np.int64]  # [N] row of each video in a file of features
    keys: dict[str, str]  # names of that file's arrays
    source: str  # that file's hash
    reasons: list[str]  # [N] why a video cannot be used, "" where that is not known

    def broken_rows(self, reason: str) -> dict[int, str]:
        """Return row -> reason (default: ``reason``) of the videos that cannot be used."""
        return {int(i): self.reasons[i] or reason for i in np.flatnonzero(self.frames == 0)}


def write_index(
    folder: Path,
    name: str,
    kind: str,
    root: Path,
    rows: pd.DataFrame,
    keys: Mapping[Any, str] | None = None,
    source: str = "",
) -> None:
    """Write ``<name>.parquet`` (path, class, frames, …) and ``<name>.json``, sorted by class.

    The column ``reason`` is not part of the digest: a new wording outdates nothing.
    """
    rows = rows.sort_values(["class", "path"], kind="stable").reset_index(drop=True)
    counted = rows.drop(columns="reason", errors="ignore").to_csv(index=False)
    with replacing(folder / f"{name}.parquet") as part:
        rows.to_parquet(part, index=False)
        facts = IndexFile(
            name=name,
            kind=kind,
            root=str(root),
            keys=dict(keys or {}),
            source=source,
            videos=len(rows),
            classes=sorted(rows["class"].unique()),
            digest=digest(source + counted),
            file=file_digest(part),
        )
    facts.write(folder / f"{name}.json")


def read_index(folder: Path, name: str) -> Index:
    """Read what ``write_index`` wrote; UserError if it is missing or damaged."""
    table = folder / f"{name}.parquet"
    facts = IndexFile.require(folder / f"{name}.json")
    try:
        now = file_digest(table)
        if facts.file not in ("", now):
            raise ValueError("not the file that was written")
        return _index(folder, name, facts, read_table(table))
    except FileNotFoundError as error:
        raise UserError(f"{error.filename} is missing; run 'bench stage data'") from None
    except DAMAGED as error:
        raise UserError(f"{table}: damaged ({error}); run 'bench stage data'") from None


def _index(folder: Path, name: str, facts: IndexFile, rows: pd.DataFrame) -> Index:
    classes = facts.classes
    place = {c: i for i, c in enumerate(classes)}
    return Index(
        name=name,
        kind=facts.kind,
        root=folder / facts.root,
        classes=classes,
        paths=list(rows["path"]),
        labels=np.array([place[c] for c in rows["class"]], dtype=np.int64),
        frames=rows["frames"].to_numpy(np.int64),
        digest=facts.digest,
        rows=rows["row"].to_numpy(np.int64) if "row" in rows else np.arange(len(rows)),
        keys=facts.keys,
        source=facts.source,
        reasons=list(rows["reason"]) if "reason" in rows else [""] * len(rows),
    )


def read_features(file: Path, keys: Mapping[Any, str]) -> tuple[Array, Array, Array]:
    """Return features [N,D] (or [N,n,D] of n segments), labels [N] and ids [N] of a file.

    The file is an .npz or .parquet. ``keys`` maps features, labels and ids to the names of its
    arrays or columns where they differ.
    """
    if not file.is_file():
        raise UserError(
            f"features {file} are missing; set profiles.….datasets.….file in params.yaml to an "
            ".npz or .parquet of features and labels"
        )
    key = {"features": "features", "labels": "labels", "ids": "ids", **keys}
    try:
        if file.suffix == ".parquet":
            table = read_table(file)
            arrays: Any = {k: table[k].to_numpy() for k in table}
            features = np.stack(list(arrays[key["features"]]))
        else:
            arrays = read_arrays(file, key["features"], key["labels"], optional=[key["ids"]])
            features = arrays[key["features"]]
        labels = _named(arrays[key["labels"]])
        ids = _named(arrays[key["ids"]]) if key["ids"] in arrays else np.arange(len(labels))
        if features.dtype.kind not in "fiub" or 0 in features.shape[1:]:
            raise ValueError(f"they are {features.dtype} {list(features.shape)}")
    except DAMAGED as error:
        raise UserError(f"{file}: cannot be read as features ({error})") from None
    if features.ndim not in (2, 3) or len(features) != len(labels):
        raise UserError(f"{file}: features {features.shape} do not match labels {labels.shape}")
    return features, labels, ids


def _named(values: Array) -> Array:
    """Return labels or ids [N]: integers, or text that a file can hold."""
    if values.ndim != 1:
        raise ValueError(f"labels and ids are lists, not {list(values.shape)}")
    if values.dtype.kind in "iu":
        return values
    if values.dtype.kind == "O" and any(value is None or value != value for value in values):
        raise ValueError("a label or id is missing")
    values = np.char.decode(values, "utf-8") if values.dtype.kind == "S" else values.astype(str)
    "".join(values).encode()
    return values
