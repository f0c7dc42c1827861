"""Stage splits: the τ exclusion and the class splits of every protocol, as JSON files."""

from pathlib import Path

from bench.config.paths import Layout
from bench.config.profile import Config
from bench.data.formats.json_file import JsonFile
from bench.data.index import read_index
from bench.data.words.class_vectors import load_class_vectors
from bench.pipeline.class_splits import build, exclude


def run(config: Config, layout: Layout) -> None:
    """Write ``splits/<profile>/overlap.json`` and ``<data set>.<protocol>.json``."""
    profile = config.profile
    written = set()
    seen: list[str] = []
    if profile.train_on and profile.transfer_sets():
        overlap = exclude(config, layout)
        seen = overlap.kept
        written.add(_write(layout.splits / "overlap.json", overlap))
        print(f"{overlap.train}: {len(seen)} of {len(overlap.classes)} classes kept")
    for name, described in profile.datasets.items():
        classes = sorted(load_class_vectors(layout.words, name)) if described.protocols else []
        for protocol in described.protocols:
            videos = _videos(layout, name) if protocol == "gzsl" else None
            lists = layout.root / described.lists if described.lists else None
            draws = profile.fifty_fifty
            file = build(name, protocol, classes, seen, layout.root, draws, lists, videos)
            written.add(_write(layout.splits / f"{name}.{protocol}.json", file))
            print(f"{name} {protocol}: {len(file.splits)} splits")
    for stale in set(layout.splits.glob("*.json")) - written:
        stale.unlink()


def _videos(layout: Layout, name: str) -> dict[str, list[str]]:
    """Return the paths of a data set's videos, by class."""
    index = read_index(layout.index, name)
    videos: dict[str, list[str]] = {c: [] for c in index.classes}
    for path, label in zip(index.paths, index.labels.tolist(), strict=True):
        videos[index.classes[label]].append(path)
    return videos


def _write(path: Path, value: JsonFile) -> Path:
    value.write(path)
    return path
