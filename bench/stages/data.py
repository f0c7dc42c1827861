"""Stage data: every data set of the profile becomes an index; the embedded world is generated."""

import os
import shutil
from pathlib import Path
from typing import cast

import pandas as pd

from bench.config import Config
from bench.data import world
from bench.data.index import write_index
from bench.data.listing import hashed, list_features, list_videos, paths_of
from bench.files import file_digest, write_text
from bench.layout import Layout
from bench.sources import source_digest


def run(config: Config, layout: Layout) -> None:
    """Write ``data/<profile>/index``. Raises UserError for missing or unreadable input."""
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
        write_index(folder, name, described.kind, root, rows, described.keys, source)
        print(f"{name}: {len(rows)} videos, {rows['class'].nunique()} classes")


def _build_world(folder: Path, root: Path, jobs: int) -> None:
    stamp = folder / "world.txt"
    source = source_digest(root / "bench" / "data" / "world.py", root)
    if not stamp.is_file() or stamp.read_text(encoding="utf-8").strip() != source:
        for name in world.world_classes():
            shutil.rmtree(folder / name, ignore_errors=True)
    write_text(stamp, source + "\n")
    world.build_world(folder, jobs)


def _world_rows(root: Path, name: str) -> pd.DataFrame:
    files = {c: sorted((root / c.replace(" ", "_")).glob("*.mp4")) for c in _classes(name)}
    return hashed(root, paths_of(files, root), frames=16)


def _classes(name: str) -> list[str]:
    return world.world_classes()[name]
