"""Word vectors from a file, streamed once: only the words asked for are kept in memory."""

import gzip
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from bench.errors import UserError
from bench.files import DAMAGED

Vector = NDArray[np.float32]


def read_vectors(path: Path, words: Iterable[str]) -> dict[str, Vector]:
    """Return word -> unit-norm vector [D] for those of ``words`` that the file has.

    Reads word2vec's binary format (.bin, .bin.gz), text (word2vec, GloVe, fastText; also .gz) and
    .npz with ``words`` and ``vectors``. Raises UserError for a missing or damaged file.
    """
    wanted = set(words)
    if not path.is_file():
        raise UserError(
            f"word vectors {path} are missing; set profiles.….words.file in params.yaml to your "
            "copy of GoogleNews-vectors-negative300.bin(.gz)"
        )
    try:
        if path.suffix == ".npz":
            found = _from_npz(path, wanted)
        else:
            opener = gzip.open if path.suffix == ".gz" else open
            with opener(path, "rb") as handle:
                binary = ".bin" in path.suffixes
                pairs = (_binary if binary else _text)(cast(BinaryIO, handle), wanted)
                found = dict(pairs)
    except DAMAGED as error:
        raise UserError(f"word vectors {path}: damaged or of another format ({error})") from None
    return {word: _unit(vector, word, path) for word, vector in found.items()}


def _from_npz(path: Path, wanted: set[str]) -> dict[str, Vector]:
    arrays = np.load(path, allow_pickle=False)
    places = {str(word): i for i, word in enumerate(arrays["words"]) if str(word) in wanted}
    vectors = arrays["vectors"]
    return {word: vectors[i].astype(np.float32) for word, i in places.items()}


def _binary(handle: BinaryIO, wanted: set[str]) -> Iterator[tuple[str, Vector]]:
    """word2vec's C format: "N D" and a line end, then per word its bytes, a space and D floats."""
    count, dim = (int(part) for part in handle.readline().split())
    size = 4 * dim
    keys = {word.encode(): word for word in wanted}
    buffer, start = b"", 0
    for i in range(count):
        space = buffer.find(b" ", start)
        while space < 0 or len(buffer) < space + 1 + size:
            more = handle.read(1 << 22)
            if not more:
                raise ValueError(f"ends at word {i} of {count}")
            buffer, start = buffer[start:] + more, 0
            space = buffer.find(b" ")
        word = buffer[start:space].lstrip(b"\n")
        if word in keys:
            yield keys[word], np.frombuffer(buffer, "<f4", dim, offset=space + 1).copy()
        start = space + 1 + size


def _text(handle: BinaryIO, wanted: set[str]) -> Iterator[tuple[str, Vector]]:
    """One word a line, then its numbers; a first line of two integers is a header."""
    keys = {word.encode(): word for word in wanted}
    dim = 0
    for number, line in enumerate(handle):
        word, _, rest = line.rstrip().partition(b" ")
        if number == 0 and word.isdigit() and rest.isdigit():
            dim = int(rest)
        elif word in keys:
            vector = np.array(rest.split(), dtype=np.float32)
            if dim not in (0, len(vector)):
                raise ValueError(f"'{keys[word]}' has {len(vector)} numbers, not {dim}")
            dim = len(vector)
            yield keys[word], vector


def _unit(vector: Vector, word: str, path: Path) -> Vector:
    norm = float(np.linalg.norm(vector.astype(np.float64)))
    if not np.isfinite(norm) or norm == 0:
        raise UserError(f"word vectors {path}: the vector of '{word}' has no direction")
    return (vector / norm).astype(np.float32)
