"""The objects that scores and boxes count in: their word vectors, texts and signatures."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.config.profile import Profile
from bench.data.reference.class_names import finder, key
from bench.data.synthetic.definitions import definitions
from bench.errors import UserError
from bench.features.encoder import Encoder
from bench.features.texts import read_texts, spoken
from bench.utils.io import DAMAGED, parsed_json

Vectors = NDArray[np.float32]


def object_vectors(names: Sequence[str], vectors: Mapping[str, Vectors]) -> tuple[Vectors, int]:
    """Return [O,W], the mean of the unit vectors of a name's known words, and how many have none.

    An object without any known word has a row of zeros, so that it resembles nothing.
    """
    if not vectors:
        raise UserError(
            "objects need word vectors, and the profile has those of whole classes alone; set "
            "words.vectors to a file of word vectors"
        )
    width = len(next(iter(vectors.values())))
    rows = []
    for name in names:
        known = [vectors[word] for word in spoken(name).split() if word in vectors]
        rows.append(np.mean(known, axis=0) if known else np.zeros(width))
    array = np.asarray(rows, np.float32).reshape(len(names), width)
    return array, int((~array.any(1)).sum())


def object_texts(profile: Profile, root: Path, names: Sequence[str]) -> list[str]:
    """Return "name: definition" of each object, or its name where no definition is known."""
    described = profile.inputs.objects
    known: dict[str, str] = {}
    if described is not None and described.kind == "shapes":
        known = {key(name): text for name, text in definitions().items()}
    elif described is not None and described.texts is not None:
        known = read_texts((root / described.texts).resolve())
    found = ((spoken(name), known.get(key(name), "")) for name in names)
    return [f"{name}: {text}" if text else name for name, text in found]


def encoded_objects(texts: Sequence[str], encoder: Encoder) -> Vectors:
    """Return [O,E]; zeros where no word of an object's text is known."""
    return encoder.encode(texts, allow_empty=True)


def read_signatures(
    path: Path, classes: Sequence[str], objects: Sequence[str]
) -> NDArray[np.int64]:
    """Return [K,L]: numbers of the objects of each class's signature in order, −1 behind its end.

    The .json maps class -> list of object names. An unknown object, or a class without a signature,
    is a UserError.
    """
    try:
        raw = parsed_json(path.read_text(encoding="utf-8"))
        listed = {key(str(name)): [str(one) for one in ordered] for name, ordered in raw.items()}
    except FileNotFoundError:
        raise UserError(f"signatures {path} are missing; set inputs.signatures") from None
    except DAMAGED as error:
        raise UserError(f"signatures {path}: cannot be read ({error})") from None
    lacking = [name for name in classes if not listed.get(key(name))]
    if lacking:
        raise UserError(
            f"signatures {path}: none of class '{lacking[0]}' ({len(lacking)} lack one)"
        )
    place = {name: i for i, name in enumerate(objects)}
    find = finder("object in signatures", objects)
    rows = [[place[find(one)] for one in listed[key(name)]] for name in classes]
    width = max(map(len, rows))
    return np.array([row + [-1] * (width - len(row)) for row in rows], np.int64)
