"""Class name → words → class vector.

The words follow the released rule of four families of data sets, else a plain one. A class vector
is the mean of the vectors of the words.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from itertools import takewhile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.data import reference as facts
from bench.data.reference.class_names import key
from bench.errors import UserError
from bench.utils.io import DAMAGED, read_arrays

# A data set belongs to the family that its name begins with: kinetics700_2020 to kinetics.
FAMILIES = {
    "ucf101": ("ucf101",),
    "hmdb51": ("hmdb51",),
    "kinetics": ("kinetics400", "kinetics600", "kinetics700"),
    "activitynet": ("activitynet200",),
}
PUBLIC = tuple(name for names in FAMILIES.values() for name in names)
STOP_WORDS = {"a", "the", "of", "and", "at", "on", "in", "an", "or", "do", "using", "with"}

_WORD = re.compile(r"[A-Z]?[a-z0-9']+|[A-Z]+(?![a-z])")


def class_words(dataset: str, names: Sequence[str]) -> dict[str, list[str]]:
    """Return class -> words.

    A class that the data set's family knows has the words that the released code gives it, whatever
    the spelling of its name (case, spaces, punctuation); another one has those of ``rule``; in a
    data set of no family, a class has those of ``split`` unchanged.
    """
    family = family_of(dataset)
    if not family:
        return {name: split("", name) for name in names}
    known = known_words(dataset)
    return {name: list(known.get(key(name)) or rule(family, name)) for name in names}


def known_words(dataset: str) -> dict[str, list[str]]:
    """Return ``key`` of a class -> words, of the classes that a data set's family knows."""
    lists = FAMILIES.get(family_of(dataset), ())
    ordered = sorted(lists, key=lambda one: one == key(dataset))  # its own one wins
    return {key(name): words for one in ordered for name, words in facts.classes(one).items()}


def family_of(dataset: str) -> str:
    """Return the family of a data set's name, "" for none."""
    return next((family for family in FAMILIES if key(dataset).startswith(family)), "")


def rule(family: str, name: str) -> list[str]:
    """Return the words of a class name that no table has: split it, then take base forms.

    The released code asks WordNet for the base form of every word that has a verb sense. Here the
    base forms are those of the known classes' words (``base_forms``); a word that they do not show
    is kept as it is, so a new class's verb may stay in its -ing form. The word vectors have
    such forms too, near the base form.
    """
    base = base_forms()
    return [base.get(word, word) for word in split(family, name)]


def split(family: str, name: str) -> list[str]:
    """Return a name's words in lower case, in the way of a family.

    Kinetics, ActivityNet: at spaces (and ``_``, which folders have for them), without
    ``STOP_WORDS``, brackets and all that follows ``(not``. Others: at capitals and at anything but
    letters, digits and apostrophes, which serves UCF101, HMDB51 and data sets of no family.
    """
    name = unicodedata.normalize("NFC", name)
    if family not in ("kinetics", "activitynet"):
        return [name[slice(*found.span())].lower() for found in _WORD.finditer(_in_ascii(name))]
    words = takewhile(lambda word: word != "(not", re.split(r"[\s_]+", name.lower()))
    bare = (word.strip("()") for word in words)
    return [word for word in bare if word and word not in STOP_WORDS]


def _in_ascii(name: str) -> str:
    """Return a text as long as ``name`` in which every letter is one of ASCII, for ``_WORD``."""
    letters = ""
    for char in name:
        if char.isascii():
            letters += char
        elif unicodedata.category(char).startswith("M"):
            letters += letters[-1:] or " "  # a mark goes with its letter
        else:
            letters += "A" if char.isupper() else "a" if char.isalnum() else " "
    return letters


@cache
def base_forms() -> dict[str, str]:
    """Return word -> base form, for each word of the known classes that follow the rule.

    A word with two base forms would be a ``ValueError``: the class lists have none.
    """
    found: dict[str, str] = {}
    for family, datasets in FAMILIES.items():
        for dataset in datasets:
            irregular = facts.exceptions(dataset)
            for name, words in facts.classes(dataset).items():
                if name in irregular:
                    continue
                for word, base in zip(split(family, name), words, strict=True):
                    if found.setdefault(word, base) != base:
                        raise ValueError(f"{dataset}: '{word}' of '{name}' has two base forms")
    return found


Words = Mapping[str, Sequence[str]]


def class_vectors(
    words: Mapping[str, Words], vectors: Mapping[str, NDArray[np.float32]], source: str
) -> dict[str, NDArray[np.float32]]:
    """Return data set -> [K,D]: the mean of the unit vectors of each class's words.

    ``words`` maps data set -> class -> words; the mean is not normalised again. Raises one
    UserError that counts the words without a vector and names the first ones with their classes.
    """
    for dataset, classes in words.items():
        for name, listed in classes.items():
            if not listed:
                raise UserError(f"class '{name}' of {dataset} has no words")
    lacking = [
        (word, name, dataset)
        for dataset, classes in words.items()
        for word, names in missing(classes, vectors).items()
        for name in names
    ]
    if lacking:
        count = len({place[1:] for place in lacking})
        shown = ", ".join(f"'{word}' of class '{name}' ({of})" for word, name, of in lacking[:5])
        raise UserError(
            f"{count} {'class has' if count == 1 else 'classes have'} words without a vector "
            f"in {source}: {shown}{', …' if len(lacking) > 5 else ''}; rename the classes or take "
            "other vectors ('bench words DATASET --vectors FILE' lists all of them)"
        )
    return {dataset: _means(classes, vectors) for dataset, classes in words.items()}


def missing(words: Words, vectors: Collection[str]) -> dict[str, list[str]]:
    """Return word -> classes that need it, for each word that is not in ``vectors``."""
    found: dict[str, list[str]] = {}
    for name, listed in words.items():
        for word in dict.fromkeys(listed):
            if word not in vectors:
                found.setdefault(word, []).append(name)
    return found


def _means(words: Words, vectors: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    rows = [
        np.mean([vectors[word] for word in listed], axis=0, dtype=np.float64)
        for listed in words.values()
    ]
    return np.asarray(rows, dtype=np.float32)


def given_class_vectors(path: Path, names: Sequence[str], dataset: str) -> NDArray[np.float32]:
    """Return [K,D], L2-normalised, from an .npz with ``names`` and ``vectors``."""
    if not path.is_file():
        raise UserError(
            f"class vectors {path} are missing; set profiles.….words.files.{dataset} in "
            "params.yaml to an .npz with names and vectors"
        )
    try:
        listed, vectors = read_arrays(path, "names", "vectors").values()
        if (
            vectors.ndim != 2
            or listed.shape != vectors.shape[:1]
            or vectors.dtype.kind not in "fiu"
        ):
            raise ValueError(f"names {listed.shape} do not match vectors {vectors.shape}")
        places = {str(name): i for i, name in enumerate(listed)}
        vectors = vectors.astype(np.float64)
    except DAMAGED as error:
        raise UserError(f"class vectors {path}: cannot be read ({error})") from None
    for name in names:
        if name not in places:
            raise UserError(f"class '{name}' of {dataset} has no vector in {path}")
    chosen = vectors[[places[name] for name in names]]
    norms = np.linalg.norm(chosen, axis=1, keepdims=True)
    if not np.isfinite(norms).all() or (norms == 0).any():
        raise UserError(f"class vectors {path}: a vector of {dataset} has no direction")
    return np.asarray(chosen / norms, dtype=np.float32)


def load_class_vectors(folder: Path, dataset: str) -> dict[str, NDArray[np.float32]]:
    """Return class -> vector [D] of one data set, as the stage words stored them."""
    path = folder / "classes.npz"
    try:
        names, vectors = read_arrays(path, f"{dataset}.names", f"{dataset}.vectors").values()
        if vectors.ndim != 2 or names.shape != vectors.shape[:1]:
            raise ValueError(f"{list(names.shape)} names do not match {list(vectors.shape)}")
    except FileNotFoundError:
        raise UserError(f"{path} is missing; run 'bench stage words'") from None
    except DAMAGED as error:
        raise UserError(
            f"{path}: no vectors of {dataset} ({error}); run 'bench stage words'"
        ) from None
    return dict(zip(map(str, names), vectors, strict=True))
