"""The overlap exclusion τ: training classes too near to a test class, of any union of test sets."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


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


def verdicts(found: Iterable[Nearest], tau: float) -> list[dict[str, Any]]:
    """Return one entry a training class, as overlap files have them, sorted by name."""
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


def fits_tau(overlap: Mapping[str, Any], tau: float) -> bool:
    """Return whether the filter at ``tau`` keeps exactly the classes that an overlap file keeps."""
    if overlap.get("tau", tau) == tau:
        return True
    return all(
        one["kept"]
        == Nearest(*(one[k] for k in ("class", "nearest", "dataset", "distance"))).kept(tau)
        for one in overlap["classes"]
    )


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    wide = vectors.astype(np.float64)
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    return wide
