"""Made-up profiles with a leak of each kind, as files: nothing is trained or indexed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from project import overlap_json, split_json, write_index_file
from ruamel.yaml import YAML

TRAIN = {"juggling": (1, 0, 0), "box bouncing": (0, 1, 0), "chess": (0, 0, 1)}
TEST = {"Juggling": (0, 1, 1), "square bouncing": (0.02, 1, 0), "diving": (1, 1, -1)}
PRETEXT = {"knitting": (-1, 0, 1)}


def write(root: Path, profile: Mapping[str, Any]) -> None:
    """Make ``profile`` the project's only one."""
    whole = {"profile": "leaky", "tau": None, "train": {}, "methods": {}}
    whole |= {"readings": {"rows": []}, "profiles": {"leaky": dict(profile)}}
    YAML(typ="safe").dump(whole, root / "params.yaml")


def transfer(root: Path, tau: float = 0.0, **more: Any) -> None:
    """Write a profile that trains on ``train`` and tests ``test``, both of videos."""
    sets = {"train": {"kind": "videos", "root": "t"}, "pretext": {"kind": "videos", "root": "p"}}
    sets["test"] = {"kind": "videos", "root": "s", "protocols": ["full"]}
    profile = {"title": "made-up leaks", "datasets": sets, "train_on": "train", "tau": tau}
    write(root, profile | {"words": {"kind": "corpus"}} | more)


def built(
    root: Path,
    kept: Mapping[str, bool] = {},
    pretext: Mapping[str, Any] = PRETEXT,
    words: bool = True,
) -> None:
    """Write class vectors, index and split files as the stages would."""
    sets = {"train": TRAIN, "test": TEST, "pretext": pretext}
    data, splits = root / "data" / "leaky", root / "splits" / "leaky"
    for folder in (data / "words", data / "index", splits):
        folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {}
    for name, classes in sets.items():
        arrays[f"{name}.names"] = np.array(list(classes))
        arrays[f"{name}.vectors"] = np.array(list(classes.values()), np.float32)
        index(root, name, {f"{c}/000.mp4": "" for c in classes}, list(classes))
    if words:
        np.savez(data / "words" / "classes.npz", **arrays)
    near = {"juggling": ("diving", 0.5), "box bouncing": ("square bouncing", 0.0002)}
    listed = [
        {"class": c, "kept": kept.get(c, True), "nearest": near.get(c, ("diving", 0.6))[0]}
        | {"dataset": "test", "distance": near.get(c, ("diving", 0.6))[1]}
        for c in TRAIN
    ]
    overlap = {"train": "train", "test": ["test"], "tau": 0, "digest": "o", "classes": listed}
    (splits / "overlap.json").write_text(overlap_json(overlap))
    full = {"name": "0", "seen": list(TRAIN), "unseen": list(TEST)}
    file = {"definition": "all", "digest": "f", "splits": [full]}
    (splits / "test.full.json").write_text(split_json(file))


def index(root: Path, name: str, videos: Mapping[str, str], classes: list[str]) -> None:
    """Write the index of a data set: path -> SHA-256."""
    folder = root / "data" / "leaky" / "index"
    folder.mkdir(parents=True, exist_ok=True)
    rows = pd.DataFrame({"path": list(videos), "sha256": list(videos.values())})
    rows.to_parquet(folder / f"{name}.parquet")
    write_index_file(folder, name, classes=sorted(classes), videos=len(rows))
