"""Class vectors c(y): means of word vectors, or vectors from a file."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.errors import UserError
from bench.utils.io import DAMAGED, read_arrays

Words = Mapping[str, Sequence[str]]


def class_vectors(
    words: Mapping[str, Words], vectors: Mapping[str, NDArray[np.float32]], source: str
) -> dict[str, NDArray[np.float32]]:
    """Return data set -> [K,D]: the mean of the unit vectors of each class's words.

    ``words`` maps data set -> class -> words; the mean is not normalised again. Words that the
    vectors lack are one UserError that counts them all and names the first ones with their class.
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
            "other vectors ('bench words DATASET --vectors FILE' lists all that a file lacks)"
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
