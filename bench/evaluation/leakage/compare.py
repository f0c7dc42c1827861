"""Seen or not: by name, by words, by the distance of class vectors; and how near the nearest is."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from bench.data.reference.class_names import key
from bench.data.splits.overlap import nearest_test_classes
from bench.evaluation.leakage.classes import Named


@dataclass(frozen=True)
class Seen:
    """A test class that a source has.

    ``by``: name (spelling apart), words (their order and forms apart) or distance (below τ).
    """

    name: str
    by: str
    source: str  # the source's class
    distance: float | None  # 1 − cos, None without vectors


@dataclass
class Compared:
    """One source's classes against one data set's tested ones."""

    tested: int
    measured: int = 0  # tested classes for which a distance could be taken
    seen: list[dict[str, Any]] = field(default_factory=list)
    nearest: dict[str, Any] | None = None  # the nearest pair of all, seen or not


def compare(tests: Sequence[Named], sources: Sequence[Named], tau: float) -> Compared:
    """Return which of the ``tests`` the ``sources`` hold, and the nearest pair."""
    by_name = {key(one.name): one for one in sources}
    by_words = {one.words: one for one in sources if one.words}
    nearest = _nearest(tests, sources)
    found = []
    for test in tests:
        near = nearest.get(test.name)
        if own := by_name.get(key(test.name)):
            found.append(Seen(test.name, "name", own.name, _distance(test, own)))
        elif own := by_words.get(test.words):
            found.append(Seen(test.name, "words", own.name, _distance(test, own)))
        elif near is not None and near[1] < tau:
            found.append(Seen(test.name, "distance", *near))
    pair = min(nearest.items(), key=lambda one: one[1][1], default=None)
    return Compared(
        tested=len(tests),
        measured=len(nearest),
        seen=[asdict(one) for one in sorted(found, key=lambda one: one.name)],
        nearest=None
        if pair is None
        else {"name": pair[0], "source": pair[1][0], "distance": pair[1][1]},
    )


def _nearest(tests: Sequence[Named], sources: Sequence[Named]) -> dict[str, tuple[str, float]]:
    """Return test class -> (the nearest class of the source, 1 − cos), where both have vectors."""
    here, there = (
        [(one.name, one.vector) for one in side if one.vector is not None and one.vector.any()]
        for side in (tests, sources)
    )
    if not here or not there or len(here[0][1]) != len(there[0][1]):
        return {}
    arrays = [(names, np.stack(v)) for names, v in (zip(*s, strict=True) for s in (here, there))]
    found = nearest_test_classes(arrays[0], {"": arrays[1]})
    return {one.name: (one.nearest, round(max(one.distance, 0.0), 6)) for one in found}


def _distance(a: Named, b: Named) -> float | None:
    found = _nearest([a], [b])
    return found[a.name][1] if found else None
