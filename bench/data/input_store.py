"""How training and embedding read an input of a data set: clips of videos, or stored features."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from mmap import mmap
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.data.formats.input_files import ClassArrayFile, VideoArrayFile
from bench.data.index import Index, read_features
from bench.errors import UserError
from bench.utils.io import (
    DAMAGED,
    digest,
    file_digest,
    known_digest,
    read_arrays,
    replacing,
)


class InputReader(Protocol):
    """One input of one data set; rows count in its index."""

    dim: int  # last dimension of a vector; 0 for clips
    n: int  # clips or vectors of a test video
    failures: Mapping[int, str]  # rows that cannot be used, with the reason
    changed: Mapping[int, str]  # those of them that were usable when the data set was indexed

    def train(
        self, rows: Sequence[int], rng: np.random.Generator, part: slice = slice(None)
    ) -> Tensor:
        """Return one clip or vector per row, [B,1,...], sampled with ``rng``.

        With ``part``, only those of ``rows[part]``, sampled as if all were read.
        """

    def test(self, rows: Sequence[int]) -> Tensor:
        """Return the n clips or vectors of each row, [B,n,...]."""


class FeatureReader:
    """Features that exist as an array, float32 [B,n,...,D], the same in training and test.

    ``array`` is [N,D] (n = 1) or [N,n,...,D]; it may be mapped from a file.
    """

    def __init__(self, array: NDArray[Any], failures: Mapping[int, str]) -> None:
        self._array = array[:, None] if array.ndim == 2 else array
        self.n, self.dim = int(self._array.shape[1]), int(array.shape[-1])
        self.failures = failures
        self.changed: Mapping[int, str] = {}

    @classmethod
    def open(cls, index: Index) -> Self:
        """Open a data set of features, [N,D] or [N,n,D] of n segments."""
        stamp = index.root.stat().st_mtime_ns if index.root.is_file() else 0
        if _digest(index.root, stamp) != index.source:
            raise UserError(f"{index.root} changed since it was indexed; run 'bench stage data'")
        array = _array(index.root, tuple(index.keys.items()), stamp)
        return cls(array[index.rows], index.broken_rows("not finite"))

    def __getstate__(self) -> dict[str, Any]:
        """Pickle the name of a mapped file instead of its content: workers map it themselves."""
        array, state = self._array, vars(self).copy()
        if isinstance(array, np.memmap) and isinstance(array.base, mmap):  # the whole file
            state["_array"] = (array.filename, array.dtype, "r", array.offset, array.shape)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        if isinstance(self._array, tuple):
            self._array = np.memmap(*self._array)

    def train(
        self, rows: Sequence[int], rng: np.random.Generator, part: slice = slice(None)
    ) -> Tensor:
        """Return the rows; nothing is random."""
        return self.test(rows[part])

    def test(self, rows: Sequence[int]) -> Tensor:
        """Return the rows."""
        return torch.from_numpy(self._array[list(rows)].astype(np.float32))


@cache
def _array(root: Path, keys: tuple[tuple[Any, str], ...], stamp: int) -> NDArray[Any]:
    """Read a features file once per process, however many cells use it."""
    return read_features(root, dict(keys))[0]


@cache
def _digest(path: Path, stamp: int) -> str:
    return file_digest(path) if path.is_file() else ""


Array = NDArray[Any]
AGAIN = "run 'bench stage inputs'"


def write_videos(
    folder: Path,
    dataset: str,
    key: str,
    parts: Iterable[Array],
    count: int,
    failures: Mapping[int, str],
) -> None:
    """Write what ``parts`` yields, rows [k,n,...] in the index's order, ``count`` rows in all.

    One part is in memory at a time. ``failures`` is read at the end, so the iterable may fill it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / f"{dataset}.npy") as part:
        done = 0
        with part.open("wb") as handle:  # mapped, a full disk would end the process (SIGBUS)
            for rows in map(np.ascontiguousarray, parts):
                if not done:
                    header = np.lib.format.header_data_from_array_1_0(rows)
                    header["shape"] = (count, *rows.shape[1:])
                    np.lib.format.write_array_header_1_0(handle, header)
                handle.write(rows.data)
                done += len(rows)
        if not done or done != count:
            raise UserError(f"{folder}: {done} of {count} videos of {dataset} were computed")
        written = file_digest(part)
    failed = {str(row): why for row, why in failures.items()}
    VideoArrayFile(key=key, digest=written, failures=failed).write(folder / f"{dataset}.json")


def write_classes(folder: Path, dataset: str, array: Array) -> str:
    """Write an array [K,...] of a data set's classes; return its digest."""
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / f"{dataset}.classes.npy") as part:
        with part.open("wb") as handle:
            np.save(handle, array)
        written = file_digest(part)
    ClassArrayFile(digest=written).write(folder / f"{dataset}.classes.json")
    return digest(array.tobytes())


def write_objects(
    folder: Path,
    names: Sequence[str],
    vectors: Array,
    texts: Array | None = None,
    scored: int | None = None,
) -> str:
    """Write the objects to which scores and boxes refer; return their digest.

    The first ``scored`` of them (default: all) have probabilities.
    """
    folder.mkdir(parents=True, exist_ok=True)
    count = len(names) if scored is None else scored
    own: dict[str, Any] = {"names": np.array(names), "vectors": vectors}
    own["scored"] = np.arange(len(names)) < count
    own |= {} if texts is None else {"texts": texts}
    with replacing(folder / "objects.npz") as part, part.open("wb") as handle:
        np.savez(handle, **own)
    numbers = [digest(a.tobytes()) for a in own.values() if a.dtype.kind == "f"]
    return digest([list(names), *numbers, *([] if count == len(names) else [count])])


def is_current(folder: Path, dataset: str, key: str) -> str:
    """Return the digest of a data set's array if it is undamaged and has this key, else ""."""
    try:
        facts = VideoArrayFile.read(folder / f"{dataset}.json")
    except UserError:  # damaged: they are made again
        return ""
    if not facts or facts.key != key:
        return ""
    whole = known_digest(folder / f"{dataset}.npy") == facts.digest
    return facts.digest if whole else ""


def failed_videos(folder: Path, dataset: str) -> set[int]:
    """Return the rows that failed when a data set's videos were written."""
    facts = VideoArrayFile.read(folder / f"{dataset}.json")
    return set(map(int, facts.failures)) if facts else set()


def read_videos(folder: Path, dataset: str, count: int) -> tuple[Array, dict[int, str]]:
    """Return the array [N,n,...] of a data set's videos, mapped from its file, and the failures."""
    facts = VideoArrayFile.read(folder / f"{dataset}.json")
    array = _load(folder / f"{dataset}.npy", facts, "r")
    if facts is None or array.ndim < 2 or len(array) != count:
        raise UserError(f"{folder}: not of the {count} videos of {dataset}; {AGAIN}")
    try:
        return array, {int(row): why for row, why in facts.failures.items()}
    except ValueError as error:
        raise UserError(f"{folder}/{dataset}.json: damaged ({error}); {AGAIN}") from None


def read_classes(folder: Path, dataset: str, count: int) -> Array:
    """Return the array [K,...] of a data set's classes."""
    facts = ClassArrayFile.read(folder / f"{dataset}.classes.json")
    array = _load(folder / f"{dataset}.classes.npy", facts)
    if not array.ndim or len(array) != count:
        raise UserError(f"{folder}: not of the {count} classes of {dataset}; {AGAIN}")
    return array


def read_objects(folder: Path) -> tuple[list[str], Array, dict[str, Array]]:
    """Return the objects' names, their vectors [O,W], and ``scored`` [O] and ``texts`` [O,E]."""
    path = folder / "objects.npz"
    try:
        arrays = read_arrays(path, "names", "vectors", optional=["texts", "scored"])
        names, vectors = list(map(str, arrays.pop("names"))), arrays.pop("vectors")
        for name, array in {"vectors": vectors, **arrays}.items():
            if array.ndim != 1 + (name != "scored") or len(array) != len(names):
                raise ValueError(f"{len(names)} names do not fit {list(array.shape)}")
        return names, vectors, arrays
    except FileNotFoundError:
        raise UserError(f"{path} is missing; {AGAIN}") from None
    except DAMAGED as error:
        raise UserError(f"{path}: damaged ({error}); {AGAIN}") from None


def _load(path: Path, facts: ClassArrayFile | VideoArrayFile | None, mode: Any = None) -> Array:
    try:
        if facts is not None and known_digest(path) not in ("", facts.digest):
            raise ValueError("not the file that was written")
        array: Array = np.load(path, mmap_mode=mode, allow_pickle=False)
        if not isinstance(array, np.ndarray):
            raise ValueError("it is an archive, not one array")
        return array
    except FileNotFoundError:
        raise UserError(f"{path} is missing; {AGAIN}") from None
    except DAMAGED as error:
        raise UserError(f"{path}: damaged ({error}); {AGAIN}") from None
