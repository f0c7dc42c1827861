"""Frames at the network's size, read from the videos; ``bench.data.video.store`` reads them faster.

Both give the same pixels, so training and embedding take either as ``Frames``.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from bench.data.video.clips import Size, reencode_jpeg, resize
from bench.data.video.colour import Pixels
from bench.data.video.decode import Backend, VideoError, count_frames, frames_of

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
        size: Size,
        counts: Sequence[int] | None = None,
        failures: Mapping[int, str] | None = None,
        *,
        jpeg: int | None = None,
        backend: Backend = "auto",
    ) -> None:
        """Take the videos ``root / path`` and the frames' ``size`` as in ``resize``.

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
    size: Size,
    wanted: Sequence[int] | None = None,
    *,
    jpeg: int | None = None,
    backend: Backend = "auto",
) -> Pixels:
    """Return the ``wanted`` frames (None: all) of a video as uint8 [n,h,w,3], by ``resize``.

    ``jpeg`` is the quality of the released pipeline's re-encoding at full size, None for none.
    Each needed frame is decoded, converted and resized once. Raises ``VideoError``.
    """
    if wanted is None:
        small = list(_resized(path, size, None, jpeg, backend))
        return np.concatenate(small) if small else np.empty((0, 0, 0, 3), np.uint8)
    needed = sorted(set(wanted))
    places: dict[int, list[int]] = {index: [] for index in needed}
    for place, index in enumerate(wanted):
        places[index].append(place)
    frames, done = np.empty((0, 0, 0, 3), np.uint8), 0
    for chunk in _resized(path, size, needed, jpeg, backend):
        if not done:
            frames = np.empty((len(wanted), *chunk.shape[1:]), np.uint8)
        for index, frame in zip(needed[done : done + len(chunk)], chunk, strict=True):
            for place in places[index]:
                frames[place] = frame
        done += len(chunk)
    return frames


def _resized(
    path: Path, size: Size, needed: Sequence[int] | None, jpeg: int | None, backend: Backend
) -> Iterator[Pixels]:
    """Yield the needed frames at ``size``, a few at a time."""
    for chunk in _chunks(frames_of(path, needed, backend)):
        yield resize(chunk if jpeg is None else reencode_jpeg(chunk, jpeg), size)


def check_indices(videos: Frames, i: int, indices: Sequence[int], path: Path) -> None:
    """Raise ``VideoError`` unless video ``i`` is whole and has all the frames ``indices``."""
    if i in videos.failures:
        raise VideoError(path, videos.failures[i])
    count = videos.frames(i)
    for index in (min(indices, default=0), max(indices, default=0)):
        if not 0 <= index < count:
            raise VideoError(path, f"no frame {index}, it has {count}")


def _chunks(frames: Iterable[Pixels]) -> Iterator[Pixels]:
    """Yield the frames in chunks; a chunk is overwritten by the next: new memory is slow."""
    chunk, filled = np.empty((0, 0, 0, 3), np.uint8), 0
    for frame in frames:
        if not len(chunk):
            chunk = np.empty((CHUNK, *frame.shape), np.uint8)
        chunk[filled] = frame
        filled += 1
        if filled == CHUNK:
            yield chunk
            filled = 0
    if filled:
        yield chunk[:filled]
