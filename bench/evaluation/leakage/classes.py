"""The classes that a profile tests, trains on and pre-trains on, as far as they are known here."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.config.paths import Layout
from bench.config.profile import PER_SPLIT, Config
from bench.data import reference as facts
from bench.data.words.store import load_class_vectors
from bench.data.words.tokenise import class_words
from bench.errors import UserError
from bench.utils.io import DAMAGED, read_json

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class Named:
    """A class: its name, its words, and its vector [W] where the words stage gives one."""

    name: str
    words: frozenset[str]
    vector: Vector | None


def of_dataset(layout: Layout, dataset: str, names: Iterable[str]) -> list[Named]:
    """Return these classes of a data set of the profile, with its class vectors if there are."""
    try:
        vectors = load_class_vectors(layout.words, dataset)
    except UserError:
        vectors = {}
    words = class_words(dataset, list(names))
    return [Named(n, frozenset(listed), vectors.get(n)) for n, listed in words.items()]


def of_list(layout: Layout, title: str, names: Sequence[str]) -> list[Named]:
    """Return the classes of a list; a vector is the mean of a name's words if all are known."""
    known = _word_vectors(layout.words / "vectors.npz")

    def mean(words: Sequence[str]) -> Vector | None:
        if not words or not known.keys() >= set(words):
            return None
        return np.asarray(np.mean([known[w] for w in words], axis=0), np.float32)

    words = class_words(title, list(names))
    return [Named(n, frozenset(listed), mean(listed)) for n, listed in words.items()]


def tested(config: Config, layout: Layout) -> dict[str, list[str]]:
    """Return test data set -> the classes that any of its protocols tests as unseen ones."""
    found = {}
    for name, described in config.profile.datasets.items():
        unseen: set[str] = set()
        for protocol in described.protocols:
            file = read_json(layout.splits / f"{name}.{protocol}.json", splits=[dict]) or {}
            unseen |= {c for one in file.get("splits", ()) for c in one["unseen"]}
        if described.protocols:
            found[name] = sorted(unseen) or known_classes(config, layout, name)
    return found


def known_classes(config: Config, layout: Layout, dataset: str) -> list[str]:
    """Return a data set's classes as described, indexed or published; [] if nobody knows them."""
    described = config.profile.datasets[dataset].classes
    index = read_json(layout.index / f"{dataset}.json", classes=[str])
    if described or index:
        return sorted(described or index["classes"])
    return sorted(facts.classes(dataset)) if dataset in facts.class_lists() else []


def draws(config: Config, layout: Layout) -> Iterator[tuple[str, str, list[Mapping[str, Any]]]]:
    """Yield (data set, protocol, its splits) wherever a model is trained for every split."""
    for name, protocol in config.profile.per_split():
        assert protocol in PER_SPLIT
        file = read_json(layout.splits / f"{name}.{protocol}.json", splits=[dict])
        yield name, protocol, file["splits"] if file else []


def _word_vectors(path: Path) -> dict[str, Vector]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(zip(map(str, arrays["words"]), arrays["vectors"], strict=True))
    except FileNotFoundError:
        return {}
    except DAMAGED as error:
        raise UserError(f"{path}: damaged ({error}); run 'bench stage words'") from None
