"""What a method is fed with: clips of a data set's videos, or arrays extracted before."""

from collections.abc import Mapping, Sequence
from functools import cache
from mmap import mmap
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.config.schema import Input
from bench.data.index import Index, read_features
from bench.data.video.clip_reader import (
    centre_crop,
    clip_indices,
    crop_at,
    normalise,
    test_indices,
    train_start,
)
from bench.data.video.decode import VideoError
from bench.data.video.frame_reader import Frames, VideoFrames
from bench.data.video.frame_store import build_store
from bench.errors import UserError
from bench.utils.io import file_digest

CHANGED = "it was whole when indexed: restore it, or run 'bench stage data' to leave it out"


class Source(Protocol):
    """One input of one data set; rows count in its index."""

    dim: int  # last dimension of a vector; 0 for clips
    n: int  # clips or vectors of a test video
    failures: Mapping[int, str]  # rows that cannot be used, with the reason
    changed: Mapping[int, str]  # those of them that could be used when they were indexed

    def train(
        self, rows: Sequence[int], rng: np.random.Generator, part: slice = slice(None)
    ) -> Tensor:
        """Return one clip or vector a row, [B,1,...], sampled with ``rng``.

        With ``part`` only those of ``rows[part]``, which are sampled as if all were read.
        """

    def test(self, rows: Sequence[int]) -> Tensor:
        """Return the n clips or vectors of each row, [B,n,...]."""


class Clips:
    """Clips as uint8 [B,n,T,H,W,3], sampled as in the released code."""

    dim = 0

    def __init__(self, frames: Frames, settings: Input, broken: Mapping[int, str]) -> None:
        self.frames = frames
        self.failures: Mapping[int, str] = {**frames.failures, **broken}
        self.changed: Mapping[int, str] = {
            i: why for i, why in frames.failures.items() if i not in broken
        }
        self._length, self.n = settings.length, settings.test_clips
        self._crop = settings.size if settings.short_side else None
        self._flip = settings.flip

    def train(
        self, rows: Sequence[int], rng: np.random.Generator, part: slice = slice(None)
    ) -> Tensor:
        """Return one clip a row from a random start; a crop and a flip hold for a whole clip.

        Raises UserError for a file that has changed or broken since the stage data read it: no
        other video takes its place.
        """
        drawn = [self._draw(row, rng) for row in rows][part]
        batch = _Buffer(len(drawn))
        for row, (start, place, mirror) in zip(rows[part], drawn, strict=True):
            total = self.frames.frames(row)
            try:
                clip = self.frames.clip(row, clip_indices(start, self._length, total))
            except VideoError as error:
                raise UserError(f"training video {error}; {CHANGED}") from error
            if self._crop:
                clip = crop_at(clip, self._crop, place.tolist())
            batch.add(clip[:, :, ::-1] if mirror else clip)
        return batch.whole().unsqueeze(1)

    def _draw(self, row: int, rng: np.random.Generator) -> tuple[int, NDArray[np.float64], bool]:
        """Draw a clip's first frame, the place of its crop, and whether it is mirrored."""
        start = train_start(self.frames.frames(row), self._length, rng)
        place = rng.random(2) if self._crop else np.zeros(2)
        return start, place, bool(self._flip and rng.random() < 0.5)

    def test(self, rows: Sequence[int]) -> Tensor:
        """Return n clips a row from fixed starts; raises ``VideoError``."""
        batch = _Buffer(len(rows))
        for row in rows:
            wanted = test_indices(self.frames.frames(row), self._length, self.n)
            clip = self.frames.clip(row, wanted)
            batch.add(centre_crop(clip, self._crop) if self._crop else clip)
        whole = batch.whole()
        return whole.view(len(rows), self.n, self._length, *whole.shape[2:])


class _Buffer:
    """Clips of one shape, each copied once, to where the batch is."""

    def __init__(self, count: int) -> None:
        self._count, self._filled = count, 0
        self._batch: Tensor | None = None

    def add(self, clip: NDArray[np.uint8]) -> None:
        """Copy the next clip, uint8 [T,H,W,3]."""
        if self._batch is None:
            self._batch = torch.empty((self._count, *clip.shape), dtype=torch.uint8)
            self._array = self._batch.numpy()
        if clip.shape != self._array.shape[1:]:
            raise ValueError(f"a clip of shape {clip.shape} among {self._array.shape[1:]}")
        self._array[self._filled] = clip
        self._filled += 1

    def whole(self) -> Tensor:
        """Return the batch."""
        assert self._batch is not None and self._filled == self._count
        return self._batch


class Vectors:
    """Arrays extracted before, float32 [B,n,...,D], the same in training and test.

    ``array`` is [N,D] (n = 1) or [N,n,...,D]; it may be mapped from a file.
    """

    def __init__(self, array: NDArray[Any], failures: Mapping[int, str]) -> None:
        self._array = array[:, None] if array.ndim == 2 else array
        self.n, self.dim = int(self._array.shape[1]), int(array.shape[-1])
        self.failures = failures
        self.changed: Mapping[int, str] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Name a mapped file instead of pickling all of it into every worker."""
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


def to_device(value: Tensor, device: torch.device) -> Tensor:
    """Move an input; clips become normalised floats [B,n,3,T,H,W] there."""
    value = value.to(device, non_blocking=True)
    return normalise(value) if value.dtype == torch.uint8 else value


@cache
def _feature_array(root: Path, keys: tuple[tuple[Any, str], ...], stamp: int) -> NDArray[Any]:
    """Read a features file once a process, whatever the number of its cells."""
    return read_features(root, dict(keys))[0]


def open_features(index: Index) -> Vectors:
    """Open a data set of pre-extracted features, [N,D] or [N,n,D] of n segments."""
    stamp = index.root.stat().st_mtime_ns if index.root.is_file() else 0
    if _digest(index.root, stamp) != index.source:
        raise UserError(f"{index.root} changed since it was indexed; run 'bench stage data'")
    array = _feature_array(index.root, tuple(index.keys.items()), stamp)
    return Vectors(array[index.rows], index.broken_rows("not finite"))


@cache
def _digest(path: Path, stamp: int) -> str:
    return file_digest(path) if path.is_file() else ""


def open_video(index: Index, settings: Input, scratch: Path, jobs: int = 1) -> Source:
    """Open a data set's ``video`` input: clips, or features where it has no videos."""
    if index.kind == "features":
        return open_features(index)
    broken = index.broken_rows("cannot be decoded")
    size = (settings.size, settings.size)
    jpeg = 75 if settings.jpeg else None
    if settings.store:
        frames: Frames = build_store(
            store_folder(scratch, index.name, settings),
            index.root,
            index.paths,
            size,
            jobs,
            key=index.digest,
            jpeg=jpeg,
            backend=settings.backend,
            broken=broken,
        )
    else:
        frames = VideoFrames(
            index.root,
            index.paths,
            settings.short_side or size,
            index.frames.tolist(),
            broken,
            jpeg=jpeg,
            backend=settings.backend,
        )
    return Clips(frames, settings, broken)


def store_folder(scratch: Path, dataset: str, settings: Input) -> Path:
    """Return where the decoded frames of a data set are, below ``scratch``."""
    return scratch / f"{dataset}-{settings.size}{'-jpeg' if settings.jpeg else ''}"
