"""Frames at the network's size, read from the videos; ``bench.video.store`` reads them faster.

Both give the same pixels, so training and embedding take either as ``Frames``.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from bench.video.clips import Pixels, reencode_jpeg, resize
from bench.video.read import Backend, VideoError, count_frames, iter_frames, read_frames

CHUNK = 16  # frames held at full size at a time


class Frames(Protocol):
    """Frames of a list of videos, which are numbered as in that list."""

    @property
    def failures(self) -> Mapping[int, str]:
        """Videos that cannot be used, with the reason; nothing stands in their place."""

    def __len__(self) -> int:
        """Return how many videos there are, failed ones included."""

    def frames(self, i: int) -> int:
        """Return how many frames video ``i`` has; 0 if it failed."""

    def clip(self, i: int, indices: Sequence[int]) -> Pixels:
        """Return frames of video ``i`` (any order, repeats allowed) as uint8 [n,h,w,3].

        Raises ``VideoError`` if the video failed or has no such frame.
        """


class VideoFrames:
    """``Frames`` read from the files at each call: for data too large to store."""

    def __init__(
        self,
        root: Path,
        paths: Sequence[str],
        size: tuple[int, int],
        counts: Sequence[int] | None = None,
        failures: Mapping[int, str] | None = None,
        *,
        jpeg: int | None = None,
        backend: Backend = "pyav",
    ) -> None:
        """Take the videos ``root / path`` and the frames' ``size`` (h, w).

        ``counts`` are the decodable frames of each video as a manifest has them, ``failures``
        the videos that it found broken; without ``counts`` every file is decoded once, here, to
        count. ``jpeg`` and ``backend`` as in ``read_resized``.
        """
        self._files = [root / path for path in paths]
        self._size, self._jpeg, self._backend = size, jpeg, backend
        self.failures = dict(failures or {})
        if counts is None:
            counts = [self._count(i) for i in range(len(paths))]
        self._counts = [0 if i in self.failures else count for i, count in enumerate(counts)]

    def __len__(self) -> int:
        """Return how many videos there are, failed ones included."""
        return len(self._files)

    def frames(self, i: int) -> int:
        """Return how many frames video ``i`` has; 0 if it failed."""
        return self._counts[i]

    def clip(self, i: int, indices: Sequence[int]) -> Pixels:
        """Return frames of video ``i`` as uint8 [n,h,w,3], each needed one decoded once."""
        check_indices(self, i, indices, self._files[i])
        return read_resized(
            self._files[i], self._size, indices, jpeg=self._jpeg, backend=self._backend
        )

    def _count(self, i: int) -> int:
        try:
            return count_frames(self._files[i])
        except VideoError as error:
            self.failures[i] = error.reason
            return 0


def read_resized(
    path: Path,
    size: tuple[int, int],
    wanted: Sequence[int] | None = None,
    *,
    jpeg: int | None = None,
    backend: Backend = "pyav",
) -> Pixels:
    """Return the ``wanted`` frames (None: all) of a video, resized, as uint8 [n,h,w,3].

    ``jpeg`` is the quality of the released pipeline's re-encoding at full size, None for none.
    Each needed frame is decoded, converted and resized once. Raises ``VideoError``.
    """
    needed = None if wanted is None else sorted(set(wanted))
    decoded: Iterable[Pixels] = iter_frames(path, needed)
    if backend != "pyav":
        decoded = read_frames(path, needed, backend)
    small = [np.empty((0, *size, 3), np.uint8)]
    for chunk in _chunks(decoded):
        small.append(resize(chunk if jpeg is None else reencode_jpeg(chunk, jpeg), size))
    frames = np.concatenate(small)
    return frames if needed is None else frames[np.searchsorted(needed, np.asarray(wanted, int))]


def check_indices(videos: Frames, i: int, indices: Sequence[int], path: Path) -> None:
    """Raise ``VideoError`` unless video ``i`` is whole and has all the frames ``indices``."""
    if i in videos.failures:
        raise VideoError(path, videos.failures[i])
    count = videos.frames(i)
    for index in (min(indices, default=0), max(indices, default=0)):
        if not 0 <= index < count:
            raise VideoError(path, f"no frame {index}, it has {count}")


def _chunks(frames: Iterable[Pixels]) -> Iterator[Pixels]:
    iterator = iter(frames)
    while chunk := list(itertools.islice(iterator, CHUNK)):
        yield np.stack(chunk)
