"""Which test classes a source has seen: by name, by words, or by the distance of class vectors."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.config.paths import Layout
from bench.config.profile import PER_SPLIT, Config
from bench.data import reference as facts
from bench.data.formats.index_file import IndexFile
from bench.data.formats.split_file import Split, SplitFile
from bench.data.reference.class_names import key
from bench.data.splits.overlap import nearest_test_classes
from bench.data.words.class_vectors import load_class_vectors
from bench.data.words.class_words import class_words
from bench.errors import UserError, unknown
from bench.utils.io import DAMAGED

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class ClassList:
    """The classes that a network was trained on; ``names`` is None if they cannot be listed."""

    title: str
    names: tuple[str, ...] | None
    why: str = ""  # why the names are not known


def class_list(name: str, root: Path) -> ClassList:
    """Return a list by its name in ``bench/data/reference`` (kinetics400, imagenet1k, coco, …).

    A name that ends in .txt is a file under ``root``, one class per line. UserError for any other
    name.
    """
    if name.endswith(".txt"):
        return ClassList(Path(name).stem, _lines(root / name))
    if name in facts.class_lists():
        return ClassList(name, tuple(facts.classes(name)))
    rows = {row["name"]: row for row in facts.table("pretraining.csv")}
    if name not in rows:
        known = {*rows, *facts.class_lists()}
        raise unknown("pre-training data set in 'pretrained' of the profile", name, known)
    row = rows[name]
    if row["listed"] != "1":
        return ClassList(row["title"], None, row["note"])
    return ClassList(row["title"], tuple(facts.pretraining_classes(name)))


def _lines(path: Path) -> tuple[str, ...]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"class list {path}: cannot be read ({error})") from None
    names = tuple(line.strip() for line in lines if line.strip())
    if not names:
        raise UserError(f"class list {path} is empty; write one class per line")
    return names


@dataclass(frozen=True)
class Named:
    """A class: its name, its words, and its vector [W] if the words stage made one."""

    name: str
    words: frozenset[str]
    vector: Vector | None


def of_dataset(layout: Layout, dataset: str, names: Iterable[str]) -> list[Named]:
    """Return classes of a data set of the profile, with class vectors if they exist."""
    try:
        vectors = load_class_vectors(layout.words, dataset)
    except UserError:
        vectors = {}
    words = class_words(dataset, list(names))
    return [Named(n, frozenset(listed), vectors.get(n)) for n, listed in words.items()]


def of_list(layout: Layout, title: str, names: Sequence[str]) -> list[Named]:
    """Return the classes of a list; a vector is the mean over a name's words, if all are known."""
    known = _word_vectors(layout.words / "vectors.npz")

    def mean(words: Sequence[str]) -> Vector | None:
        if not words or not known.keys() >= set(words):
            return None
        return np.asarray(np.mean([known[w] for w in words], axis=0), np.float32)

    words = class_words(title, list(names))
    return [Named(n, frozenset(listed), mean(listed)) for n, listed in words.items()]


def tested(config: Config, layout: Layout) -> dict[str, list[str]]:
    """Return test data set -> the classes that any of its protocols tests as unseen."""
    found = {}
    for name, described in config.profile.datasets.items():
        unseen: set[str] = set()
        for protocol in described.protocols:
            file = SplitFile.read(layout.splits / f"{name}.{protocol}.json")
            unseen |= {c for one in (file.splits if file else ()) for c in one["unseen"]}
        if described.protocols:
            found[name] = sorted(unseen) or known_classes(config, layout, name)
    return found


def known_classes(config: Config, layout: Layout, dataset: str) -> list[str]:
    """Return a data set's classes as described, indexed or published; [] if they are not known."""
    described = config.profile.datasets[dataset].classes
    if described:
        return sorted(described)
    if index := IndexFile.read(layout.index / f"{dataset}.json"):
        return index.classes
    return sorted(facts.classes(dataset)) if dataset in facts.class_lists() else []


def draws(config: Config, layout: Layout) -> Iterator[tuple[str, str, list[Split]]]:
    """Yield (data set, protocol, splits) of protocols that train a model for every split."""
    for name, protocol in config.profile.per_split():
        assert protocol in PER_SPLIT
        file = SplitFile.read(layout.splits / f"{name}.{protocol}.json")
        yield name, protocol, file.splits if file else []


def _word_vectors(path: Path) -> dict[str, Vector]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(zip(map(str, arrays["words"]), arrays["vectors"], strict=True))
    except FileNotFoundError:
        return {}
    except DAMAGED as error:
        raise UserError(f"{path}: damaged ({error}); run 'bench stage words'") from None


@dataclass(frozen=True)
class Seen:
    """A test class that a source has seen.

    ``by``: name (ignoring spelling), words (ignoring order and form) or distance (below τ).
    """

    name: str
    by: str
    source: str  # the source's class
    distance: float | None  # 1 − cos, None without vectors


@dataclass
class Compared:
    """The classes of one source compared with the test classes of one data set."""

    tested: int
    measured: int = 0  # test classes with a distance
    seen: list[dict[str, Any]] = field(default_factory=list)
    nearest: dict[str, Any] | None = None  # the nearest pair of all, seen or not


def compare(tests: Sequence[Named], sources: Sequence[Named], tau: float) -> Compared:
    """Return the ``tests`` that are among the ``sources``, and the nearest pair."""
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
    """Return test class -> (nearest source class, 1 − cos) for classes with vectors."""
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
