"""Stage splits: the τ exclusion and every protocol's class splits, as readable files by name."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench import protocols
from bench.config import Config
from bench.errors import UserError
from bench.files import digest, dump_json, read_json, write_text
from bench.layout import Layout
from bench.words.store import load_class_vectors


def run(config: Config, layout: Layout) -> None:
    """Write ``splits/<profile>/overlap.json`` and ``<data set>.<protocol>.json``."""
    written = set()
    seen: list[str] = []
    if config.profile.train_on and config.profile.transfer_sets():
        overlap = exclude(config, layout)
        seen = [one["class"] for one in overlap["classes"] if one["kept"]]
        written.add(_write(layout.splits / "overlap.json", overlap))
        print(f"{overlap['train']}: {len(seen)} of {len(overlap['classes'])} classes kept")
    for name, described in config.profile.datasets.items():
        vectors = load_class_vectors(layout.words, name)
        for protocol in described.protocols:
            file = build(config, layout.root, name, protocol, sorted(vectors), seen)
            written.add(_write(layout.splits / f"{name}.{protocol}.json", file))
            print(f"{name} {protocol}: {len(file['splits'])} splits")
    for stale in set(layout.splits.glob("*.json")) - written:
        stale.unlink()


def exclude(config: Config, layout: Layout) -> dict[str, Any]:
    """Return the τ exclusion: for every training class its nearest test class and whether kept."""
    train_on = config.profile.train_on or ""
    tests = config.profile.transfer_sets()
    arrays = {name: load_class_vectors(layout.words, name) for name in (train_on, *tests)}
    split = {name: (list(v), np.stack(list(v.values()))) for name, v in arrays.items()}
    nearest = protocols.nearest_test_classes(split[train_on], {n: split[n] for n in tests})
    tau = config.profile.tau
    classes = [
        {
            "class": one.name,
            "kept": one.kept(tau),
            "nearest": one.nearest,
            "dataset": one.dataset,
            "distance": round(one.distance, 6),
        }
        for one in sorted(nearest, key=lambda one: one.name)
    ]
    if not any(one["kept"] for one in classes):
        raise UserError(f"tau = {tau} leaves no training class of {train_on}; make it smaller")
    kept = [[one["class"] for one in classes if one["kept"]], sorted(tests)]
    return {
        "train": train_on,
        "test": tests,
        "tau": tau,
        "digest": digest(kept),
        "classes": classes,
    }


def build(
    config: Config, root: Path, name: str, protocol: str, classes: Sequence[str], seen: list[str]
) -> dict[str, Any]:
    """Return one protocol's splits of a data set, with its definition and hash."""
    if protocol == "full":
        splits = protocols.full(classes, seen)
    elif protocol == "half10":
        splits = protocols.half10(classes, seen)
    else:
        draw = config.profile.fifty_fifty
        if draw.file:
            raw = read_json(root / draw.file)
            if raw is None:
                raise UserError(f"split file {root / draw.file} is missing (fifty_fifty.file)")
            splits = protocols.given_splits(raw, name, classes, str(draw.file))[: draw.draws]
        else:
            splits = protocols.fifty_fifty(classes, draw.draws, draw.seed)
    return {
        "dataset": name,
        "protocol": protocol,
        "definition": protocols.DEFINITIONS[protocol],
        "digest": digest(splits),
        "splits": splits,
    }


def _write(path: Path, value: dict[str, Any]) -> Path:
    write_text(path, dump_json(value))
    return path
