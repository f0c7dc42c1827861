"""NaN and infinity in given features."""

import json
import random

import numpy as np
from ruamel.yaml import YAML

from .arena import plain
from .fault import Fault
from .world import SCHEDULE, World, given_features


def not_finite(world: World, rng: random.Random) -> str:
    """Spoil some numbers, or all of a class: those videos are not covered, and are listed."""
    arena = world.arena(finished=False)
    with np.load(world.outside / "given.npz") as whole:
        features, labels = whole["features"], whole["labels"]
    bad = set(rng.sample(range(len(labels)), rng.randint(1, 6)))
    if rng.random() < 0.3:
        bad |= set(np.flatnonzero(labels == rng.choice(sorted(set(labels)))).tolist())
    for row in bad:
        features[row, rng.randrange(5)] = rng.choice((np.nan, np.inf, -np.inf))
    np.savez(arena.path("given.npz"), features=features, labels=labels)
    raw = YAML(typ="safe").load(arena.path("params.yaml"))
    profile = given_features(world.outside)
    profile["datasets"]["given"]["file"] = "given.npz"
    raw["profiles"]["tiny"] = profile | {"train": SCHEDULE}
    YAML(typ="safe").dump(raw, arena.path("params.yaml"))
    ended = arena.stages()
    plain(ended)
    listed = 0
    for path in arena.path("results", "records").rglob("*.json"):
        record = json.loads(path.read_text())
        if record["status"] == "ok":
            seen = record["coverage"]["given"]
            assert seen["scored"] == seen["expected"] - len(seen["failed"])
            assert all(np.isfinite(value) for value in record["metrics"].values()), path
            assert {int(p) for p in seen["failed"]} <= bad, path
            listed += len(seen["failed"])
    assert listed or ended.code == 2, "bad videos are not listed"
    world.drop(arena)
    return "not covered and listed" if ended.code == 0 else "cells failed with the reason"


FAULTS = [Fault("features-not-finite", "not used, not scored, listed", not_finite, 6)]
