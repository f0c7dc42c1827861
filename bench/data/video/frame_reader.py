"""Frames at the network's size, read from video files; ``FrameStore`` reads them faster.

Both are ``Frames`` and give the same pixels, so training and embedding take either.
"""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch.nn.functional import interpolate

from bench.data.index import Index
from bench.data.video.decode import (
    Backend,
    Pixels,
    VideoError,
    count_frames,
    frames_of,
    read_frames,
)

Size = tuple[int, int] | int
"""(h, w), whatever the aspect ratio; or the length of the short side, keeping the ratio."""

CHUNK = 16  # frames held at full size at a time


class Frames(Protocol):
    """Frames of a list of videos; a video is identified by its number in the list."""

    @property
    def failures(self) -> Mapping[int, str]:
        """Videos that cannot be used, with the reason; no other video takes their place."""

    def __len__(self) -> int:
        """Return how many videos there are, failed ones included."""

    def frames(self, i: int) -> int:
        """Return how many frames video ``i`` has; 0 if it failed."""

    def clip(self, i: int, indices: Sequence[int]) -> Pixels:
        """Return frames of video ``i`` (any order, repeats allowed) as uint8 [n,h,w,3].

        Raises ``VideoError`` if the video failed or has no such frame.
        """


class VideoFrames:
    """``Frames`` that are decoded at each call, for data that is too large to store."""

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
        """Read the videos ``root / path`` at a ``size`` as in ``resize``.

        ``counts`` are the numbers of decodable frames and ``failures`` the broken videos, as in a
        manifest. Without ``counts``, every file is decoded once to count its frames. ``jpeg`` and
        ``backend`` are those of ``read_resized``.
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
        """Return frames of video ``i`` as uint8 [n,h,w,3]; each is decoded once."""
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
    """Return the ``wanted`` frames (None: all) of a video, resized, as uint8 [n,h,w,3].

    Each is decoded, converted and resized once. ``jpeg`` is the quality at which frames of full
    size are re-encoded, as in the released pipeline; None skips this. Raises ``VideoError``.
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
    """Yield the needed frames at ``size``, in chunks."""
    for chunk in _chunks(frames_of(path, needed, backend)):
        yield resize(chunk if jpeg is None else reencode_jpeg(chunk, jpeg), size)


def check_indices(videos: Frames, i: int, indices: Sequence[int], path: Path) -> None:
    """Raise ``VideoError`` if video ``i`` failed or does not have all frames ``indices``."""
    if i in videos.failures:
        raise VideoError(path, videos.failures[i])
    count = videos.frames(i)
    for index in (min(indices, default=0), max(indices, default=0)):
        if not 0 <= index < count:
            raise VideoError(path, f"no frame {index}, it has {count}")


def resize(frames: Pixels, size: Size) -> Pixels:
    """Resize uint8 [T,H,W,3] to a new [T,h,w,3], bilinear, without a crop.

    A size (h, w) is antialiased, as in the code of AURL. A short side is not, and scales both sides
    by one factor, rounded down, as in the code of E2E.
    """
    if frames.shape[1:3] == size:
        return frames.copy()
    # The permuted view is channels-last, for which torch has a fast uint8 kernel.
    images = torch.from_numpy(np.require(frames, requirements=["C", "W"])).permute(0, 3, 1, 2)
    if isinstance(size, int):
        factor = size / min(frames.shape[1:3])
        small = interpolate(images, scale_factor=factor, mode="bilinear")
    else:
        small = interpolate(images, size=size, mode="bilinear", antialias=True)
    result: Pixels = small.permute(0, 2, 3, 1).contiguous().numpy()
    return result


def reencode_jpeg(frames: Pixels, quality: int = 75) -> Pixels:
    """Encode and decode uint8 [T,H,W,3] as JPEG: the first step of the released pipeline."""
    from PIL import Image

    def encoded(frame: Pixels) -> Pixels:
        buffer = io.BytesIO()
        Image.fromarray(frame).save(buffer, "JPEG", quality=quality)
        return np.asarray(Image.open(buffer))

    return np.stack([encoded(frame) for frame in frames])


def _chunks(frames: Iterable[Pixels]) -> Iterator[Pixels]:
    """Yield the frames in chunks of one buffer, since allocating memory is slow."""
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


class FrameSampler:
    """Reads single frames for image models: the middle frames of ``count`` equal parts of a video.

    ``short_side`` is their smaller side in pixels, keeping the ratio; None keeps the file's size.
    ``failures`` are the rows that are broken according to the index, with the reason.
    """

    def __init__(self, index: Index, count: int, short_side: int | None) -> None:
        self.failures: Mapping[int, str] = index.broken_rows("cannot be decoded")
        self._index, self._count, self._side = index, count, short_side

    def sample(self, row: int) -> Pixels:
        """Return uint8 [count,H,W,3]; a short video repeats frames. Raises ``VideoError``."""
        path = self._index.root / self._index.paths[row]
        if row in self.failures:
            raise VideoError(path, self.failures[row])
        wanted = _middles(int(self._index.frames[row]), self._count)
        if self._side is None:
            return read_frames(path, wanted)
        return read_resized(path, self._side, wanted)


def _middles(frames: int, count: int) -> list[int]:
    """Return the numbers of the middle frames of ``count`` equal parts of a video."""
    return [(2 * part + 1) * frames // (2 * count) for part in range(count)]
