"""Word vectors from a file, streamed once: only the words asked for are kept in memory."""

import gzip
import math
from collections.abc import Iterable, Iterator
from io import SEEK_END, BufferedReader
from itertools import chain
from mmap import ACCESS_READ, MADV_DONTNEED, mmap
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from bench.errors import UserError
from bench.utils.io import DAMAGED, read_arrays, replacing

Vector = NDArray[np.float32]
Pairs = Iterator[tuple[str, Vector]]

LONGEST = 4096  # bytes of a header or a word
BLOCK = 10_000  # words, 12 MB of GoogleNews
WIDEST = 1 << 24  # bytes of a line of text
FASTTEXT = (793712314).to_bytes(4, "little")


def read_vectors(path: Path, words: Iterable[str]) -> dict[str, Vector]:
    """Return word -> unit-norm vector [D] for those of ``words`` that the file has.

    Reads word2vec's binary format (.bin), .npz with ``words`` and ``vectors``, and, under any other
    name, text with or without a header (word2vec, GloVe, fastText's .vec); .gz of each but .npz.
    Raises UserError for a missing or damaged file, which says where it ends if it is cut short
    (text without a header can only be seen to be cut within a line).
    """
    wanted = set(words)
    if not path.is_file():
        raise UserError(
            f"word vectors {path} are missing; set profiles.….words.file in params.yaml (or "
            "--vectors) to your copy of GoogleNews-vectors-negative300.bin(.gz)"
        )
    try:
        if path.suffix == ".npz":
            found = _from_npz(path, wanted)
        else:
            opener = gzip.open if path.suffix == ".gz" else open
            with opener(path, "rb") as handle:
                binary = ".bin" in path.suffixes
                found = dict((_binary if binary else _text)(cast(BinaryIO, handle), wanted))
    except DAMAGED as error:
        raise UserError(f"word vectors {path}: damaged or of another format ({error})") from None
    return {word: _unit(vector, word, path) for word, vector in found.items()}


def write_vectors(path: Path, vectors: dict[str, Vector]) -> None:
    """Write .npz with ``words`` and ``vectors`` [N,D], sorted by word, for ``read_vectors``."""
    words = sorted(vectors)
    stacked = np.stack([vectors[w] for w in words]) if words else np.empty((0, 0), np.float32)
    with replacing(path) as part, part.open("wb") as handle:
        np.savez(handle, words=np.array(words, dtype=str), vectors=stacked)


def _from_npz(path: Path, wanted: set[str]) -> dict[str, Vector]:
    words, vectors = read_arrays(path, "words", "vectors").values()
    if vectors.ndim != 2 or words.shape != vectors.shape[:1] or vectors.dtype.kind not in "fiu":
        raise ValueError(f"words {words.shape} do not match vectors {vectors.shape}")
    places = {str(word): i for i, word in enumerate(words) if str(word) in wanted}
    return {word: vectors[i].astype(np.float32) for word, i in places.items()}


def _binary(handle: BinaryIO, wanted: set[str]) -> Pairs:
    """word2vec's binary format: "N D" and a newline, then each word, a space and D floats.

    Some writers put a newline before each word but the first.
    """
    header = handle.readline(LONGEST)
    if header.startswith(FASTTEXT):
        raise ValueError("this is fastText's own model file; take the .vec file beside it")
    count, dim = _header(header)
    size = 4 * dim
    keys = {start + word.encode(): word for word in wanted for start in (b"", b"\n")}
    mapped = _mapped(handle)
    buffer: bytes | mmap = b"" if mapped is None else mapped
    start, end = (0, 0) if mapped is None else (len(header), len(mapped))
    for first in range(0, count, BLOCK):
        for i in range(first, min(first + BLOCK, count)):
            space = buffer.find(b" ", start, start + LONGEST)
            while space < 0 or end <= space + size:
                if space < 0 and end - start > LONGEST:
                    raise ValueError(
                        f"no word of {LONGEST} bytes or less at word {i + 1} of {count}"
                    )
                more = _read(handle)
                if not more:
                    raise ValueError(
                        f"it ends at word {i + 1} of {count}: cut short or wrong header"
                    )
                buffer, start = buffer[start:] + more, 0
                end = len(buffer)
                space = buffer.find(b" ", 0, LONGEST)
            word = buffer[start:space]
            if word in keys:
                yield keys[word], np.frombuffer(buffer, "<f4", dim, offset=space + 1).copy()
            start = space + 1 + size
        if mapped is not None:
            mapped.madvise(MADV_DONTNEED, 0, start)  # else the process seems to hold the file
    if (buffer[start : start + LONGEST] + _read(handle)).strip(b"\n"):
        raise ValueError(f"it goes on after its {count} words: wrong header")


def _mapped(handle: BinaryIO) -> mmap | None:
    """Map an uncompressed file and move to its end, which saves a copy of all bytes."""
    if not isinstance(handle, BufferedReader):
        return None
    handle.seek(0, SEEK_END)
    return mmap(handle.fileno(), 0, access=ACCESS_READ)


def _read(handle: BinaryIO) -> bytes:
    try:
        return handle.read(1 << 18)
    except EOFError:  # of a .gz that is cut short
        return b""


def _header(line: bytes) -> tuple[int, int]:
    fields = line.split()
    if len(fields) != 2 or not all(field.isdigit() for field in fields):
        raise ValueError(f"its header is {line[:40]!r}, not the numbers of words and dimensions")
    count, dim = map(int, fields)
    if not 0 < dim < 1 << 20:
        raise ValueError(f"its header says {dim} dimensions")
    return count, dim


def _text(handle: BinaryIO, wanted: set[str]) -> Pairs:
    """One word per line with its D numbers; a first line of two integers is a header.

    Without a header, the first line defines D. Words with spaces (GloVe has some) are skipped.
    """
    keys = {word.encode(): word for word in wanted}
    first = handle.readline(WIDEST)
    fields = first.split()
    headed = len(fields) == 2 and all(field.isdigit() for field in fields)
    if len(fields) < 2:
        raise ValueError("its first line is not a word and numbers")
    count, dim = _header(first) if headed else (0, len(fields) - 1)
    rest = iter(lambda: handle.readline(WIDEST), b"")  # so that a line without end is no memory
    lines = filter(bytes.strip, rest if headed else chain([first], rest))
    number, line = 0, b""
    try:
        for number, line in enumerate(lines, 1):
            word = line.split(maxsplit=1)[0]  # at a space or a tab
            if word in keys or number == 1:
                vector = _numbers(line, dim, number)
                if word in keys and vector is not None:
                    yield keys[word], vector
    except EOFError:
        raise ValueError(f"it ends after word {number}: cut short") from None
    if headed and number != count:
        raise ValueError(
            f"it ends after word {number}, not after word {count}: cut short or wrong header"
        )
    _numbers(line, dim, number)


def _numbers(line: bytes, dim: int, number: int) -> Vector | None:
    """Return the vector [D] in a line; None for a word with spaces."""
    word, *numbers = line.split()
    try:
        if len(numbers) > dim:
            float(numbers[0])
    except ValueError:
        return None
    if len(numbers) != dim:
        name = word.decode(errors="replace")
        raise ValueError(f"line of word {number}, '{name}', has {len(numbers)} numbers, not {dim}")
    with np.errstate(over="ignore"):  # what overflows is refused where it is used
        return np.array(numbers, dtype=np.float32)


def exact_norm(vector: NDArray[Any]) -> float:
    """Return the Euclidean norm of a vector [D], the same on every CPU; NaN if it is not finite.

    ``numpy.linalg.norm`` calls BLAS, whose last digits depend on the kernel.
    """
    wide = vector.astype(np.float64)
    return math.sqrt(math.fsum(np.square(wide))) if np.isfinite(wide).all() else math.nan


def _unit(vector: Vector, word: str, path: Path) -> Vector:
    norm = exact_norm(vector)
    limits = np.finfo(np.float32)  # of the norm, too: below them a quotient has few digits or none
    if not float(limits.tiny) <= norm <= float(limits.max):
        raise UserError(f"word vectors {path}: the vector of '{word}' has no direction")
    return (vector / norm).astype(np.float32)
