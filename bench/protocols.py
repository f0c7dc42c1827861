"""Evaluation protocols as lists of class splits by name, and the overlap exclusion τ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from bench.errors import UserError

DEFINITIONS = {
    "full": "every class and every video of the test data set",
    "half10": "for s = 0…9 the classes RandomState(s).permutation(C)[:C//2] of the sorted list",
    "fifty-fifty": "train on one half of the data set's classes, test on the other",
}


class Split(TypedDict):
    """One class split by name, both lists sorted by code point."""

    name: str
    seen: list[str]
    unseen: list[str]


@dataclass(frozen=True)
class Nearest:
    """A training class, the test class nearest to it and their distance 1 − cos."""

    name: str
    nearest: str
    dataset: str
    distance: float

    def kept(self, tau: float) -> bool:
        """Survive iff distance ≥ τ; τ = 0 is no filter (rounding makes −1e-16 possible)."""
        return tau <= 0 or self.distance >= tau


def full(classes: Sequence[str], seen: Sequence[str]) -> list[Split]:
    """All classes at once."""
    return [Split(name="full", seen=sorted(seen), unseen=sorted(classes))]


def half10(classes: Sequence[str], seen: Sequence[str]) -> list[Split]:
    """Ten halves of the sorted class list, drawn as E2E and AURL drew them."""
    ordered = sorted(classes)
    count = len(ordered)
    return [
        Split(
            name=f"{s}",
            seen=sorted(seen),
            unseen=sorted(
                ordered[i] for i in np.random.RandomState(s).permutation(count)[: count // 2]
            ),
        )
        for s in range(10)
    ]


def fifty_fifty(classes: Sequence[str], draws: int, seed: int) -> list[Split]:
    """``draws`` random halves; of an odd count the seen half has one more (UCF101: 51/50)."""
    ordered = sorted(classes)
    random = np.random.RandomState(seed)
    splits = []
    for draw in range(draws):
        order = random.permutation(len(ordered))
        cut = len(ordered) // 2
        splits.append(
            Split(
                name=f"{draw:02d}",
                seen=sorted(ordered[i] for i in order[cut:]),
                unseen=sorted(ordered[i] for i in order[:cut]),
            )
        )
    return splits


def given_splits(raw: Any, dataset: str, classes: Sequence[str], where: str) -> list[Split]:
    """Check splits read from a file: a list of {"seen"|"train": […], "unseen"|"test": […]}, or a
    dict of such lists by data set. Raises UserError for a class that the data set lacks.
    """
    if isinstance(raw, Mapping):
        raw = raw.get(dataset)
    if not isinstance(raw, list) or not raw:
        raise UserError(f"{where}: no list of splits for data set {dataset}")
    splits: list[Split] = []
    for i, one in enumerate(raw):
        if not isinstance(one, Mapping):
            raise UserError(f"{where}: split {i} is not an object with 'seen' and 'unseen'")
        seen, unseen = one.get("seen", one.get("train")), one.get("unseen", one.get("test"))
        if not seen or not unseen:
            raise UserError(f"{where}: split {i} lacks 'seen' or 'unseen' classes")
        wrong = [c for c in (*seen, *unseen) if c not in classes] or [
            c for c in seen if c in unseen
        ]
        if wrong:
            raise UserError(
                f"{where}: split {i}: class '{wrong[0]}' is not in {dataset} or is on both sides"
            )
        name = str(one.get("name", f"{i:02d}"))
        if "/" in name or name in {done["name"] for done in splits}:
            raise UserError(f"{where}: split {i}: its name '{name}' has a / or is not the first")
        splits.append(Split(name=name, seen=sorted(seen), unseen=sorted(unseen)))
    return splits


def nearest_test_classes(
    train: tuple[Sequence[str], NDArray[np.float32]],
    tests: Mapping[str, tuple[Sequence[str], NDArray[np.float32]]],
) -> list[Nearest]:
    """For each training class (names, vectors [K,W]) the nearest class of any test data set."""
    names = [(dataset, name) for dataset, (listed, _) in tests.items() for name in listed]
    vectors = np.concatenate([v for _, v in tests.values()])
    distances = 1.0 - _unit(train[1]) @ _unit(vectors).T
    best = distances.argmin(1)
    return [
        Nearest(name, names[j][1], names[j][0], float(distances[i, j]))
        for i, (name, j) in enumerate(zip(train[0], best, strict=True))
    ]


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    wide = vectors.astype(np.float64)
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    return wide
