"""List the videos of a data set: path, class, frames, bytes and hash, the rows of its index."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd

from bench.config.paths import Layout
from bench.config.profile import DataSet
from bench.data.index import read_features
from bench.data.manifest import read_manifest, update_manifest
from bench.errors import UserError
from bench.utils.progress import track


def list_videos(name: str, described: DataSet, layout: Layout, jobs: int) -> pd.DataFrame:
    """List a data set of video files: path, class, frames, bytes, sha256 ("") and reason.

    A .parquet manifest of ``bench data index`` is believed, but for files that are gone or have
    another size: those are unusable. Else the videos of ``root``, or those of a .csv of path and
    class, are measured by ``jobs`` processes, each once for as long as it does not change.
    """
    assert described.root is not None
    root = layout.root / described.root
    manifest = layout.root / described.manifest if described.manifest else None
    if manifest and manifest.suffix == ".parquet":
        rows = _still_there(root, read_manifest(manifest)[0], name)
    else:
        cache = layout.scratch / "manifests" / f"{name}.parquet"
        rows = update_manifest(name, root, cache, [manifest] if manifest else [], jobs=jobs)
    if described.use:
        rows = rows[rows["split"].isin(described.use)]
        if rows.empty:
            raise UserError(f"data set {name}: no video is in {' or '.join(described.use)} ('use')")
    return rows[["path", "class", "frames", "bytes"]].assign(sha256="", reason=rows["reason"])


def _still_there(root: Path, rows: pd.DataFrame, name: str) -> pd.DataFrame:
    if not root.is_dir():
        raise UserError(
            f"data set {name}: folder {root} is missing; set profiles.….datasets.{name}.root in "
            "params.yaml"
        )
    frames, reasons = rows["frames"].to_numpy(copy=True), list(rows["reason"])
    changed = 0
    files = zip(rows["path"], rows["bytes"], strict=True)
    for i, (path, size) in enumerate(track(files, len(rows), f"looking for videos of {name}")):
        try:
            now = os.stat(root / path).st_size
            reason = f"changed since it was indexed: {now} bytes, {size} in the manifest"
        except OSError as error:
            now, reason = -1, f"missing: {error.strerror}"
        if now != size and frames[i]:
            frames[i], reasons[i] = 0, reason
            changed += 1
    if changed:
        print(f"{name}: {changed} videos are missing or changed; run 'bench data index' again")
    return rows.assign(frames=frames, reason=reasons)


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
        if twice := [one for one in classes if classes.count(one) > 1]:
            raise UserError(
                f"{file}: '{twice[0]}' is listed twice in 'classes' of {name}; use each once"
            )
        for label in (labels.min(), labels.max()):
            if not 0 <= label < len(classes):
                raise UserError(f"{file}: label {label} has no name in 'classes' of {name}")
        labels = np.array([classes[i] for i in labels])
    names, counts = np.unique(ids.astype(str), return_counts=True)
    if len(names) < len(ids):
        raise UserError(f"{file}: the id '{names[counts > 1][0]}' occurs twice")
    finite = np.isfinite(features.astype(np.float32)).reshape(len(features), -1).all(1)
    rows = pd.DataFrame({"path": ids.astype(str), "class": labels.astype(str)})
    return file, rows.assign(frames=finite.astype(np.int64), row=np.arange(len(rows)))


def paths_of(classes: dict[str, list[Path]], root: Path) -> pd.DataFrame:
    """Make rows of path and class from class -> files."""
    pairs: Iterable[tuple[str, str]] = (
        (f.relative_to(root).as_posix(), c) for c, files in classes.items() for f in files
    )
    return pd.DataFrame(list(pairs), columns=["path", "class"])
