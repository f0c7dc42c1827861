"""A project in which the commands of the documents run in seconds: tiny features, two methods."""

import re
from pathlib import Path

import numpy as np
from project import TINY_CLASSES, copy_project, run_bench

PROFILE = """
  tiny:
    title: tiny features
    datasets:
      trained: {kind: features, file: trained.npz}
      tested: {kind: features, file: tested.npz, protocols: [full, half10]}
    train_on: trained
    words: {kind: class_vectors, files: {trained: words.npz, tested: words.npz}}
    tau: 0
    network: {head: 8}
    train: {steps: 12, batch: 8, warmup: 2, log_every: 4, seeds: [0, 1]}
"""
METHODS = ("aurl", "base_ls")
TESTED = [f"{name} too" for name in TINY_CLASSES]


def make(root: Path) -> None:
    """Write a project whose default profile is the tiny one, and run the stages before training."""
    copy_project(root)
    for path in (root / "methods").glob("*.py"):
        if path.stem not in (*METHODS, "__init__"):
            path.unlink()
    path = root / "params.yaml"
    text = path.read_text(encoding="utf-8").replace("profile: mini\n", "profile: tiny\n", 1)
    kept = "|".join(METHODS)
    text = re.sub(rf"(?m)^    - \{{method: (?!({kept}),).*\n", "", text)
    path.write_text(text.rstrip() + "\n" + PROFILE, encoding="utf-8")
    rng = np.random.default_rng(0)
    for name, classes in (("trained", TINY_CLASSES), ("tested", TESTED)):
        labels = np.repeat(np.arange(len(classes)), 6)
        features = rng.normal(size=(len(classes), 12))[labels] + rng.normal(size=(36, 12)) / 3
        labelled = np.array(classes)[labels]
        np.savez(root / f"{name}.npz", features=features.astype(np.float32), labels=labelled)
    names = np.array([*TINY_CLASSES, *TESTED])
    np.savez(root / "words.npz", names=names, vectors=rng.normal(size=(12, 5)))
    for stage in ("data", "words", "splits", "inputs", "audit"):
        bench(root, "stage", stage)


def bench(root: Path, *words: str, code: int = 0) -> str:
    """Run a command in the project, expect its exit code, return what it printed."""
    ended = run_bench(root, *words)
    assert ended.code == code, (words, ended)
    return ended.out
