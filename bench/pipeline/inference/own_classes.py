"""Own class names → class vectors [K,W], by the rule and the word vectors of the profile."""

import difflib
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.config.paths import Layout
from bench.config.profile import Config
from bench.data.reference.class_names import key
from bench.data.words.class_vectors import Words, class_vectors, missing
from bench.data.words.store import load_class_vectors
from bench.data.words.tokenise import class_words, known_words
from bench.data.words.vectors import read_vectors
from bench.errors import UserError
from bench.utils.io import DAMAGED, read_arrays

Vectors = NDArray[np.float32]
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def checked(names: Sequence[str]) -> list[str]:
    """Return the names without outer spaces; UserError if there are none, or one stands twice."""
    if isinstance(names, str):
        raise UserError(f"classes is the text '{names}'; give a list of names: ['{names}', …]")
    stripped = [str(name).strip() for name in names]
    if not stripped:
        raise UserError("no classes to choose from; give at least one name")
    known: dict[str, str] = {}
    for name in stripped:
        if not key(name):
            raise UserError(f"class name '{name}' has no letter or digit")
        if (twin := known.setdefault(key(name), name)) is not name:
            raise UserError(f"class '{name}' stands twice ('{twin}'); give each class once")
    return stripped


def vectors_of(names: Sequence[str], config: Config, layout: Layout) -> Vectors:
    """Return [K,W]: of a class of the profile, in any spelling, its own vector, else by its words.

    Raises UserError that names the classes and words without a vector, and the nearest words.
    """
    profile = config.profile
    known: dict[str, Vectors] = {}
    for dataset in dict.fromkeys([*profile.transfer_sets(), *profile.datasets]):
        known = {**known, **load_class_vectors(layout.words, dataset), **known}
    spelled = {key(name): known[name] for name in reversed(known)}  # the first one wins
    found = {name: known[name] for name in names if name in known}
    found |= {n: spelled[key(n)] for n in names if n not in found and key(n) in spelled}
    words = _words([name for name in names if name not in found], profile.train_on or "")
    if words:
        found |= _looked_up(words, config, layout, next(iter(known), ""))
    return np.stack([found[name] for name in names])


def _words(names: Sequence[str], train_on: str) -> Words:
    """Return names' words as those of the training classes were made.

    A new name in one piece (ApplyEyeMakeup) is split at its capitals whatever the family.
    """
    known = known_words(train_on)
    joined = [n for n in names if " " not in n and "_" not in n and key(n) not in known]
    return class_words(train_on, names) | class_words("ucf101" if known else "", joined)


def _looked_up(words: Words, config: Config, layout: Layout, example: str) -> dict[str, Vectors]:
    """Return class -> vector: from the words that the stage words kept, else from their source."""
    kept = layout.words / "vectors.npz"
    vocabulary = _vocabulary(kept)
    vectors = read_vectors(kept, _all(words)) if vocabulary else {}
    lacking = missing(words, vectors)
    if lacking:
        source = _source(config, layout, next(iter(lacking)), lacking)
        near = {other for word in lacking for other in _one_letter_off(word)}
        found = read_vectors(source, {*lacking, *near})
        vectors |= {word: vector for word, vector in found.items() if word in lacking}
        if lacking := missing(words, vectors):
            raise UserError(_complaint(lacking, {*vocabulary, *found}, source, config, example))
    (array,) = class_vectors({"own": words}, vectors, kept.name).values()
    return dict(zip(words, array, strict=True))


def _all(words: Words) -> set[str]:
    return {word for listed in words.values() for word in listed}


def _vocabulary(path: Path) -> list[str]:
    if not path.is_file():
        return []
    try:
        return list(map(str, read_arrays(path, "words")["words"]))
    except DAMAGED as error:
        raise UserError(f"{path}: damaged ({error}); run 'bench stage words'") from None


def _source(config: Config, layout: Layout, word: str, lacking: Mapping[str, list[str]]) -> Path:
    """Return the profile's file of word vectors."""
    words = config.profile.words
    if words.kind == "corpus":
        return layout.words / "vectors.bin"
    given = words.file or words.vectors
    if given is None:
        raise UserError(
            f"class '{lacking[word][0]}': profile {config.name} has vectors of whole classes "
            "alone; set words.vectors in params.yaml to a file of word vectors"
        )
    return layout.root / given


def _one_letter_off(word: str) -> set[str]:
    """Return the spellings one letter off a word, its inflections and its capitalised form.

    A file of three million words is streamed once, so the candidates are asked for by name.
    """
    cuts = [(word[:i], word[i:]) for i in range(len(word) + 1)]
    less = {a + b[1:] for a, b in cuts if b}
    swapped = {a + b[1] + b[0] + b[2:] for a, b in cuts if len(b) > 1}
    other = {a + c + b[1:] for a, b in cuts if b for c in _LETTERS}
    more = {a + c + b for a, b in cuts for c in _LETTERS}
    stems = {word.removesuffix(end) for end in ("s", "es", "ing", "ed")}
    if any(a == b for a, b in pairwise(word.removesuffix("ing")[-2:])):  # running: run
        stems.add(word.removesuffix("ing")[:-1])
    inflected = {stem + end for stem in stems for end in ("", "e", "s", "es", "ing", "ed", "er")}
    return (less | swapped | other | more | inflected | {word.capitalize()}) - {word, ""}


def _complaint(
    lacking: Mapping[str, list[str]],
    known: Collection[str],
    source: Path,
    config: Config,
    example: str,
) -> str:
    shown = []
    for word, classes in list(lacking.items())[:5]:
        near = difflib.get_close_matches(word, known, n=3, cutoff=0.6)
        nearest = f"; nearest in spelling: {', '.join(map(repr, near))}" if near else ""
        of = "" if classes[0] == word else f" of class '{classes[0]}'"
        shown.append(f"'{word}'{of} has no vector in {source.name}{nearest}")
    more = f"; and {len(lacking) - 5} more words" if len(lacking) > 5 else ""
    world = f"; the generated world knows its own words alone, as in '{example}'"
    return "; ".join(shown) + more + world * config.profile.embedded
