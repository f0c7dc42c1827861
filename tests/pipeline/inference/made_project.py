"""A project of a few tiny videos, with two methods that are trained for two steps."""

from pathlib import Path
from typing import Any

import numpy as np
from project import copy_project, keep_methods, run_bench
from ruamel.yaml import YAML

from bench.data.synthetic.moving_shapes import write_h264

CLASSES = {
    "clips_train": ["juggling balls", "knitting", "surfing"],
    "clips_test": ["playing drums", "rowing boat"],
}
WORDS = sorted({word for names in CLASSES.values() for word in " ".join(names).split()})
METHODS = ("base_ls", "dem")  # clips and the cosine; features and a score of its own


def parameters() -> dict[str, Any]:
    """Return params.yaml of the profile."""
    sets: dict[str, dict[str, Any]] = {
        name: {"kind": "videos", "root": f"videos/{name}"} for name in CLASSES
    }
    sets["clips_test"]["protocols"] = ["full"]
    profile = {
        "title": "tiny clips",
        "datasets": sets,
        "train_on": "clips_train",
        "pretrain_on": "clips_train",
        "words": {"kind": "word2vec", "file": "words.txt"},
        "tau": 0,
        "input": {"length": 4, "size": 16, "store": True},
        "network": {
            "stem": 4,
            "widths": [4, 4, 4, 8],
            "blocks": [0, 0, 0, 1],
            "head": 8,
            "pretrain_steps": 2,
        },
        "train": {"steps": 2, "batch": 4, "warmup": 1, "device": "cpu"},
    }
    return {"profile": "clips", "readings": {"rows": []}, "profiles": {"clips": profile}}


def make_trained(folder: Path) -> None:
    """Write the videos, the word vectors and the code; run the stages up to the records."""
    copy_project(folder)
    keep_methods(folder, *METHODS)
    rng = np.random.default_rng(0)
    for dataset, names in CLASSES.items():
        for name in names:
            place = folder / "videos" / dataset / name
            place.mkdir(parents=True)
            for i in range(3):
                frames = rng.integers(0, 255, (6, 32, 48, 3), dtype=np.uint8)
                write_h264(place / f"{i}.mp4", frames)
    lines = [f"{w} {' '.join(f'{x:.4f}' for x in rng.normal(size=6))}" for w in (*WORDS, "drum")]
    (folder / "words.txt").write_text("\n".join(lines) + "\n")
    with (folder / "params.yaml").open("w") as handle:
        YAML(typ="safe").dump(parameters(), handle)
    names = ("data", "words", "splits", "inputs")
    stages = [("stage", name) for name in names]
    for words in (*stages, ("train", "-j", "1"), ("stage", "score")):
        ended = run_bench(folder, *words)
        assert ended.code == 0, ended
