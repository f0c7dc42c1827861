"""Stage data: index every data set of the profile; generate the embedded world."""

import hashlib
import os
import shutil
from pathlib import Path
from typing import cast

import pandas as pd

from bench.config.paths import Layout
from bench.config.profile import Config
from bench.data.index import read_index, write_index
from bench.data.manifest import hashed, list_features, list_videos, paths_of
from bench.data.synthetic.moving_shapes import build_world, world_classes
from bench.errors import UserError
from bench.experiments.fingerprint import code_digest
from bench.utils.io import file_digest, write_text


def run(config: Config, layout: Layout) -> None:
    """Write ``data/<profile>/index``. Raises UserError for missing or unreadable data."""
    jobs = os.cpu_count() or 1
    folder = layout.index
    folder.mkdir(parents=True, exist_ok=True)
    if any(d.generate for d in config.profile.datasets.values()):
        _build_world(folder, layout.root, jobs)
    for name, described in config.profile.datasets.items():
        if described.generate:
            root, rows = Path(name), _world_rows(folder / name, name)
        elif described.kind == "videos":
            rows = list_videos(name, described, layout, jobs)
            root = (layout.root / cast(Path, described.root)).resolve()
        else:
            root, rows = list_features(name, described, layout.root)
        source = file_digest(root) if described.kind == "features" else ""
        given = described.file or described.root
        if given and not given.is_absolute():
            root = _relative(root, folder)
        write_index(folder, name, described.kind, root, rows, described.keys, source)
        print(f"{name}: {len(rows)} videos, {rows['class'].nunique()} classes")


def _relative(root: Path, folder: Path) -> Path:
    """Return ``root`` relative to the index's folder, so that other clones find their own copy.

    Returns it unchanged if there is a symbolic link in between.
    """
    relative = Path(os.path.relpath(root, folder))
    return relative if (folder / relative).resolve() == root else root


def _build_world(folder: Path, root: Path, jobs: int) -> None:
    stamp = folder / "world.txt"
    source = code_digest(root / "bench" / "data" / "synthetic" / "moving_shapes.py", root)
    if not stamp.is_file() or stamp.read_text(encoding="utf-8").strip() != source:
        for name in world_classes():
            shutil.rmtree(folder / name, ignore_errors=True)
    for name in world_classes():
        _drop_damaged(folder, name)
    write_text(stamp, source + "\n")
    build_world(folder, jobs)


def _drop_damaged(folder: Path, name: str) -> None:
    """Delete generated videos that differ from the index; they are generated again."""
    try:
        read_index(folder, name)
    except UserError:  # none yet, or damaged itself
        return
    rows = pd.read_parquet(folder / f"{name}.parquet")
    for path, known in zip(rows["path"], rows["sha256"], strict=True):
        video = folder / name / path
        if video.is_file() and hashlib.sha256(video.read_bytes()).hexdigest() != known:
            video.unlink()


def _world_rows(root: Path, name: str) -> pd.DataFrame:
    files = {c: sorted((root / c.replace(" ", "_")).glob("*.mp4")) for c in _classes(name)}
    return hashed(root, paths_of(files, root), frames=16)


def _classes(name: str) -> list[str]:
    return world_classes()[name]
