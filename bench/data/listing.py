"""From a description to rows of path, class, frames, bytes and hash: what the index is made of."""

import hashlib
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd

from bench.config import DataSet
from bench.data.index import read_features
from bench.errors import UserError
from bench.progress import track

VIDEO_SUFFIXES = {".avi", ".mp4", ".mkv", ".webm", ".mov", ".mpg", ".mpeg", ".m4v", ".flv", ".wmv"}


def list_videos(name: str, described: DataSet, base: Path) -> tuple[Path, pd.DataFrame]:
    """List a data set of video files by its manifest (path, class) or by its class folders."""
    assert described.root is not None
    root = base / described.root
    if not root.is_dir():
        raise UserError(
            f"data set {name}: folder {root} is missing; put the videos there, one folder a class, "
            f"or set profiles.….datasets.{name}.root in params.yaml"
        )
    if described.manifest:
        rows = _read_table(base / described.manifest, name)
        for column in ("path", "class"):
            if column not in rows:
                raise UserError(f"{described.manifest}: data set {name} needs a column '{column}'")
        rows = rows[["path", "class"]].astype(str)
    else:
        found = sorted(p for p in root.glob("*/*") if p.suffix.lower() in VIDEO_SUFFIXES)
        rows = pd.DataFrame(
            {
                "path": [p.relative_to(root).as_posix() for p in found],
                "class": [p.parent.name for p in found],
            }
        )
    if rows.empty:
        raise UserError(f"data set {name}: no videos in {root} (expected {root}/CLASS/VIDEO.avi)")
    return root.resolve(), rows


def measure(root: Path, rows: pd.DataFrame, jobs: int, what: str) -> pd.DataFrame:
    """Add decodable frames (0: none) and bytes, counted by ``jobs`` processes."""
    files = [root / path for path in rows["path"]]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        counts = pool.map(_frames, files, chunksize=8)
        frames = list(track(counts, len(files), f"counting frames of {what}"))
    sizes = [f.stat().st_size if f.is_file() else 0 for f in files]
    return rows.assign(frames=frames, bytes=sizes, sha256="")


def hashed(root: Path, rows: pd.DataFrame, frames: int) -> pd.DataFrame:
    """Add the known frame count, bytes and SHA-256: for files that the project itself wrote."""
    files = [root / path for path in rows["path"]]
    return rows.assign(
        frames=frames,
        bytes=[f.stat().st_size for f in files],
        sha256=[hashlib.sha256(f.read_bytes()).hexdigest() for f in files],
    )


def list_features(name: str, described: DataSet, base: Path) -> tuple[Path, pd.DataFrame]:
    """List a file of features: one row a video; frames is 0 where a feature is not finite."""
    file = (base / cast(Path, described.file)).resolve()
    features, labels, ids = read_features(file, described.keys)
    if not len(labels) or len(ids) != len(labels):
        raise UserError(f"{file}: no rows, or {len(ids)} ids for {len(labels)} labels")
    if np.issubdtype(labels.dtype, np.integer):
        classes = described.classes
        if classes is None:
            raise UserError(f"{file}: integer labels; name them with 'classes: […]' of {name}")
        for label in (labels.min(), labels.max()):
            if not 0 <= label < len(classes):
                raise UserError(f"{file}: label {label} has no name in 'classes' of {name}")
        labels = np.array([classes[i] for i in labels])
    names, counts = np.unique(ids.astype(str), return_counts=True)
    if len(names) < len(ids):
        raise UserError(f"{file}: the id '{names[counts > 1][0]}' stands there twice")
    finite = np.isfinite(features.astype(np.float32)).all(1)
    rows = pd.DataFrame({"path": ids.astype(str), "class": labels.astype(str)})
    return file, rows.assign(frames=finite.astype(np.int64), row=np.arange(len(rows)))


def _read_table(file: Path, name: str) -> pd.DataFrame:
    try:
        return pd.read_parquet(file) if file.suffix == ".parquet" else pd.read_csv(file)
    except FileNotFoundError:
        raise UserError(f"data set {name}: manifest {file} is missing") from None
    except (ValueError, OSError) as error:
        raise UserError(f"data set {name}: manifest {file} cannot be read ({error})") from None


def _frames(file: Path) -> int:
    from bench.video.read import VideoError, count_frames

    try:
        return count_frames(file)
    except VideoError:
        return 0


def paths_of(classes: dict[str, list[Path]], root: Path) -> pd.DataFrame:
    """Make rows of path and class from class -> files."""
    pairs: Iterable[tuple[str, str]] = (
        (f.relative_to(root).as_posix(), c) for c, files in classes.items() for f in files
    )
    return pd.DataFrame(list(pairs), columns=["path", "class"])
