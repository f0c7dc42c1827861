"""Class name → words → class vector c(y)."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench import facts
from bench.errors import UserError
from bench.files import DAMAGED

_WORD = re.compile(r"[A-Z]?[a-z0-9']+|[A-Z]+(?![a-z])")


def class_words(dataset: str, names: Sequence[str]) -> dict[str, list[str]]:
    """Return class -> words: the released rule's for the known data sets, else the plain rule.

    The plain rule splits at anything but letters and at capitals, and lower-cases.
    """
    try:
        known: Mapping[str, list[str]] = facts.classes(dataset)
    except UserError:
        known = {}
    return {name: list(known.get(name) or map(str.lower, _WORD.findall(name))) for name in names}


def class_vectors(
    words: Mapping[str, Sequence[str]], vectors: Mapping[str, NDArray[np.float32]], source: str
) -> NDArray[np.float32]:
    """Return [K,D]: the mean of the unit vectors of each class's words, not re-normalised.

    A word that the vectors lack is a UserError that names class and word.
    """
    rows = []
    for name, listed in words.items():
        for word in listed:
            if word not in vectors:
                raise UserError(f"class '{name}': no vector for its word '{word}' in {source}")
        if not listed:
            raise UserError(f"class '{name}' has no words")
        rows.append(np.mean([vectors[word] for word in listed], axis=0, dtype=np.float64))
    return np.asarray(rows, dtype=np.float32)


def given_class_vectors(path: Path, names: Sequence[str], dataset: str) -> NDArray[np.float32]:
    """Return [K,D], L2-normalised, from an .npz with ``names`` and ``vectors``."""
    if not path.is_file():
        raise UserError(
            f"class vectors {path} are missing; set profiles.….words.files.{dataset} in "
            "params.yaml to an .npz with names and vectors"
        )
    try:
        arrays = np.load(path, allow_pickle=False)
        places = {str(name): i for i, name in enumerate(arrays["names"])}
        vectors = arrays["vectors"].astype(np.float64)
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
