"""How training and embedding read an input of a data set: clips of videos, or stored features."""

from collections.abc import Mapping, Sequence
from functools import cache
from mmap import mmap
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.data.index import Index, read_features
from bench.errors import UserError
from bench.utils.io import file_digest


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
