"""The overlap exclusion τ: drop training classes that are too close to any test class."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.config.paths import Layout
from bench.config.profile import Config
from bench.data import reference
from bench.data.formats.overlap_file import OverlapFile, Verdict
from bench.errors import UserError

BORDERLINE = 0.02  # distance to τ within which a class counts as borderline

# Data set -> class -> its words, or its vector [W].
Words = Mapping[str, Mapping[str, Sequence[str]]]
Vectors = dict[str, dict[str, NDArray[np.float32]]]


@dataclass(frozen=True)
class Nearest:
    """A training class, the test class nearest to it and their distance 1 − cos."""

    name: str
    nearest: str
    dataset: str
    distance: float

    def kept(self, tau: float) -> bool:
        """Return whether the distance is at least τ; τ = 0 filters nothing (−1e-16 is possible)."""
        return tau <= 0 or self.distance >= tau


def nearest_test_classes(
    train: tuple[Sequence[str], NDArray[np.float32]],
    tests: Mapping[str, tuple[Sequence[str], NDArray[np.float32]]],
) -> list[Nearest]:
    """For each training class (names, vectors [K,W]) the nearest class of any test data set.

    Distances are rounded to 9 decimals: the last digits of a matrix product depend on the CPU, and
    neither a verdict at τ nor the nearest of several equal classes may.
    """
    names = [(dataset, name) for dataset, (listed, _) in tests.items() for name in listed]
    vectors = np.concatenate([v for _, v in tests.values()])
    distances = np.round(1.0 - _unit(train[1]) @ _unit(vectors).T, 9) + 0.0  # no −0.0
    best = distances.argmin(1)
    return [
        Nearest(name, names[j][1], names[j][0], float(distances[i, j]))
        for i, (name, j) in enumerate(zip(train[0], best, strict=True))
    ]


def verdicts(found: Iterable[Nearest], tau: float) -> list[Verdict]:
    """Return one entry per training class for an overlap file, sorted by name."""
    return [
        {
            "class": one.name,
            "kept": one.kept(tau),
            "nearest": one.nearest,
            "dataset": one.dataset,
            "distance": round(one.distance, 6),
        }
        for one in sorted(found, key=lambda one: one.name)
    ]


def fits_tau(overlap: OverlapFile, tau: float) -> bool:
    """Return whether the filter at ``tau`` keeps exactly the classes that an overlap file keeps."""
    if overlap.tau == tau:
        return True
    return all(
        one["kept"]
        == Nearest(one["class"], one["nearest"], one["dataset"], one["distance"]).kept(tau)
        for one in overlap.classes
    )


def at_tau(overlap: Mapping[str, Any], tau: float, borderline: int | None = None) -> dict[str, Any]:
    """Return which classes of an overlap file or of ``public_overlap`` are kept and removed at τ.

    "borderline" has ``borderline`` classes on each side of τ, by default all within
    ``BORDERLINE`` of it.
    """
    undecided: list[dict[str, Any]] = overlap.get("undecided", [])
    kept: list[str] = list(overlap.get("far", []))
    if tau <= 0:  # no filter, whatever the distance
        kept += [one["class"] for one in undecided if one["dataset"] == overlap["train"]]
        undecided = []
    removed, measured = [], []
    for one in overlap["classes"]:
        entry = {key: one[key] for key in ("class", "nearest", "dataset", "distance")}
        # Distances in files are rounded: at the file's own τ its verdict counts.
        keep = one["kept"] if tau == overlap["tau"] else Nearest(*entry.values()).kept(tau)
        measured.append({**entry, "kept": keep})
        if keep:
            kept.append(one["class"])
        else:
            removed.append(entry)
    measured.sort(key=lambda one: (float(one["distance"]), one["class"]))
    if borderline is None:
        near = [one for one in measured if abs(one["distance"] - tau) <= BORDERLINE + 1e-9]
    else:
        below = [one for one in measured if one["distance"] < tau]
        above = measured[len(below) :]
        near = below[max(len(below) - borderline, 0) :] + above[:borderline]
    return {
        "train": overlap["train"],
        "test": overlap["test"],
        "tau": tau,
        "kept": sorted(kept) if "far" in overlap else kept,
        "removed": removed,
        "borderline": near,
        "undecided": undecided,
        "by": overlap.get("by", "vectors"),
    }


def public_overlap(
    train: str,
    tests: Sequence[str],
    tau: float,
    config: Config,
    layout: Layout,
    file: Path | None = None,
) -> dict[str, Any]:
    """Compare the classes of public data sets; return the keys of an overlap file and three more.

    "by" says whether classes were compared by "vectors" or, without any, by their "words" only.
    "undecided" lists classes with words that have no vector, "far" the classes that differ in
    their words when there are no vectors. Vectors come from ``file`` or from the profile.
    """
    words = {name: reference.classes(name) for name in dict.fromkeys([train, *tests])}
    vectors, undecided = _vectors(words, file, config, layout)
    same_words = {
        frozenset(listed): (dataset, name)
        for dataset in reversed(tests)
        for name, listed in words[dataset].items()
    }
    keys = {name: frozenset(listed) for name, listed in words[train].items()}
    exact = {name: same_words[key] for name, key in keys.items() if key in same_words}
    found = []
    arrays = {n: (list(v), np.stack(list(v.values()))) for n, v in vectors.items() if v}
    if train in arrays and arrays.keys() & set(tests):
        found = nearest_test_classes(arrays[train], {n: arrays[n] for n in tests if n in arrays})
    done = {one.name for one in found}
    found += [Nearest(c, name, of, 0.0) for c, (of, name) in exact.items() if c not in done]
    done |= exact.keys()
    return {
        "train": train,
        "test": list(tests),
        "tau": tau,
        "classes": verdicts(found, tau),
        "far": [] if vectors else [name for name in words[train] if name not in done],
        "undecided": [o for o in undecided if o["dataset"] != train or o["class"] not in done],
        "by": "vectors" if vectors else "words",
    }


def _vectors(
    words: Words, file: Path | None, config: Config, layout: Layout
) -> tuple[Vectors, list[dict[str, Any]]]:
    """Return the vectors of classes, and the classes with words that ``file`` does not have.

    Without ``file`` the vectors are those of the profile's words stage, if it has all data sets,
    else from the profile's word2vec file; {} if neither exists.
    """
    from bench.data.words.class_vectors import class_vectors, load_class_vectors
    from bench.data.words.word_vectors import read_vectors

    if file is None:
        try:
            return {name: load_class_vectors(layout.words, name) for name in words}, []
        except UserError:
            setting = config.profile.words
            if setting.kind != "word2vec" or setting.file is None:
                return {}, []
            file = layout.root / setting.file
            if not file.is_file():
                return {}, []
    wanted = {w for classes in words.values() for listed in classes.values() for w in listed}
    found = read_vectors(file, wanted)
    vectors: Vectors = {}
    undecided = []
    for name, classes in words.items():
        complete = {c: list(ws) for c, ws in classes.items() if found.keys() >= set(ws)}
        means = class_vectors({name: complete}, found, str(file))[name]
        vectors[name] = dict(zip(complete, means, strict=True))
        undecided += [
            {"class": c, "dataset": name, "words": sorted(set(listed) - found.keys())}
            for c, listed in classes.items()
            if c not in complete
        ]
    return vectors, undecided


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    wide = vectors.astype(np.float64)
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    return wide
