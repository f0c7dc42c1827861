"""The tiny profile, and the undisturbed run that every arena is compared with."""

import json
import shutil
from collections import Counter
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML

from .arena import STAGES, Arena, Ended, copy_code, different

TRAINED, TESTED = ("jump high", "run fast", "sit down"), ("throw ball", "climb wall", "swim far")
METHODS = ("base_ls", "devise", "eszsl")  # clips, features, and a closed form


SCHEDULE: dict[str, Any] = {
    "steps": 12, "batch": 6, "warmup": 2, "log_every": 2, "checkpoint_every": 3,
    "seeds": [0, 1], "lr": 0.01, "stall_s": 60,
}  # fmt: skip


def videos(outside: Path) -> dict[str, Any]:
    """Return a profile of two video data sets, with a frozen backbone's features and texts."""
    sets = ("trained", "tested")
    return {
        "title": "tiny",
        "datasets": {
            "trained": {"kind": "videos", "root": str(outside / "trained")},
            "tested": {
                "kind": "videos",
                "root": str(outside / "tested"),
                "protocols": ["full", "half10"],
            },
        },
        "train_on": "trained",
        "pretrain_on": "trained",
        "words": {
            "kind": "class_vectors",
            "files": {name: str(outside / "words.npz") for name in sets},
            "vectors": str(outside / "vectors.npz"),
        },
        "tau": 0,
        "input": {"length": 4, "size": 16, "store": True, "seen_per_class": 2},
        "network": {
            "stem": 4,
            "widths": [4, 8, 8, 8],
            "blocks": [0, 1, 0, 1],
            "head": 8,
            "pretrain_steps": 4,
        },
        "inputs": {
            "features": {"segments": 2},
            "texts": {
                "kind": "json",
                "files": {name: str(outside / "texts.json") for name in sets},
            },
        },
    }


def given_features(outside: Path) -> dict[str, Any]:
    """Return a profile of one data set of features, with two draws of its classes."""
    file = str(outside / "given.npz")
    return {
        "title": "given features",
        "datasets": {"given": {"kind": "features", "file": file, "protocols": ["fifty-fifty"]}},
        "words": {"kind": "class_vectors", "files": {"given": str(outside / "words.npz")}},
        "fifty_fifty": {"draws": 2},
        "network": {"head": 8},
    }


class World:
    """What all tries share: videos, the undisturbed arena, and how long each of its stages took."""

    def __init__(self, folder: Path, light: bool = False) -> None:
        """Make a world in an absent or empty folder; a ``light`` one has given features alone."""
        self._light = light
        self.folder, self._made = folder, count(1)
        self.outside = folder / "outside"
        self.outside.mkdir(parents=True)
        self._write_inputs()
        self._code = folder / "code"  # once, so that an edit meanwhile changes nothing here
        self._code.mkdir()
        copy_code(self._code)
        for path in (self._code / "methods").glob("*.py"):
            if path.stem not in (*METHODS, "__init__"):
                path.unlink()
        self.parameters(self._code)
        self.reference = self.arena(before=STAGES[0])
        self.seconds: dict[str, float] = {}
        self.operations: dict[str, Counter[str]] = {}
        self._after: dict[str, Path] = {}

    def run_reference(self) -> None:
        """Run the pipeline undisturbed, and note each stage's time and file operations."""
        for name in STAGES:
            log = self.folder / f"{name}.operations"
            ended = self.reference.stages(name, TORTURE_LOG=str(log))
            assert ended.code == 0, ended
            self.seconds[name] = ended.seconds
            self.operations[name] = Counter(log.read_text().split())
            self._after[name] = shutil.copytree(self.reference.root, self.folder / f"after-{name}")
        self.expected = self.reference.results()

    def arena(self, before: str = "") -> Arena:
        """Make an arena in which all stages have run, or those ``before`` a stage."""
        if before == STAGES[0]:
            source = self._code
        elif before:
            source = self._after[STAGES[STAGES.index(before) - 1]]
        else:
            source = self.reference.root
        root = self.folder / f"arena-{next(self._made)}"
        shutil.copytree(source, root, symlinks=True)
        return Arena(root)

    def heals(self, arena: Arena, *stages: str) -> Ended:
        """Assert that these stages (all, if none) end in the undisturbed files; drop the arena."""
        ended = arena.stages(*stages)
        assert ended.code == 0, ended.err[-600:]
        self.healed(arena)
        return ended

    def healed(self, arena: Arena) -> None:
        """Assert that an arena has the undisturbed files; drop it."""
        assert not (left := different(arena.results(), self.expected)), left
        shutil.rmtree(arena.root, ignore_errors=True)

    def parameters(self, root: Path, **train: Any) -> None:
        """Write params.yaml; ``train`` replaces parts of the schedule."""
        profile = (given_features if self._light else videos)(self.outside)
        profile["train"] = SCHEDULE | ({"seeds": [0]} if self._light else {}) | train
        raw = {"profile": "tiny", "tau": None, "methods": {}, "only": [], "readings": {"rows": []}}
        raw |= {"train": {"steps": None}, "profiles": {"tiny": profile}}
        YAML(typ="safe").dump(raw, root / "params.yaml")

    def _write_inputs(self) -> None:
        rng = np.random.default_rng(0)
        names = np.array([n.replace(" ", "_") for n in (*TRAINED, *TESTED)])
        labels = np.repeat(np.arange(len(names)), 8)
        features = rng.normal(size=(len(labels), 5)).astype(np.float32) + labels[:, None]
        np.savez(self.outside / "given.npz", features=features, labels=names[labels])
        self._write_words(rng, names.tolist())
        if not self._light:
            self._write_videos(rng)

    def _write_videos(self, rng: np.random.Generator) -> None:
        from bench.data.synthetic.moving_shapes import write_h264

        for folder, classes in (("trained", TRAINED), ("tested", TESTED)):
            for name in classes:
                colour = rng.integers(0, 255, 3)
                for i in range(4):
                    frames = np.full((8, 32, 32, 3), colour, np.uint8)
                    frames[:, :, 4 * i : 4 * i + 8] = rng.integers(0, 255, (8, 32, 8, 3))
                    path = self.outside / folder / name.replace(" ", "_") / f"{i}.mp4"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    write_h264(path, frames)

    def _write_words(self, rng: np.random.Generator, names: list[str]) -> None:
        words = sorted({word for name in names for word in name.split("_")})
        vectors = rng.normal(size=(len(words), 6))
        np.savez(self.outside / "vectors.npz", words=words, vectors=vectors)
        np.savez(self.outside / "words.npz", names=names, vectors=rng.normal(size=(len(names), 6)))
        texts = {name: " ".join(name.split("_")) for name in names}
        (self.outside / "texts.json").write_text(json.dumps(texts))
