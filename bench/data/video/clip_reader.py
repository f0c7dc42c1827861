"""Clips of videos, as the published pipelines cut them.

``ClipReader`` chooses the frames of a clip, reads them at the network's size from a ``FrameStore``
or from the video file, crops and flips. Its batches are uint8: they are normalised on the device
that trains (``bench.training.device``), which gets a quarter of the bytes that way.
"""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from bench.config.schema import Input
from bench.data.index import Index
from bench.data.video.decode import Frames, Pixels, VideoError, VideoFrames
from bench.data.video.frame_store import build_store
from bench.errors import UserError

CHANGED = "it was whole when indexed: restore it, or run 'bench stage data' to leave it out"


class _Draw(NamedTuple):
    """The random choices of one training clip."""

    start: int  # first frame
    down: float  # place of the crop, each in [0, 1)
    right: float
    flip: bool


class ClipReader:
    """Clips of a data set's videos as uint8 [B,n,T,H,W,3]; rows count in its index.

    ``n`` is the number of clips of a test video. ``failures`` maps the rows that cannot be used to
    the reason; ``changed`` are those of them that were usable when the data set was indexed.
    """

    dim = 0  # clips, not vectors

    def __init__(self, frames: Frames, settings: Input, broken: Mapping[int, str]) -> None:
        self.frames = frames
        self.failures: Mapping[int, str] = {**frames.failures, **broken}
        self.changed: Mapping[int, str] = {
            i: why for i, why in frames.failures.items() if i not in broken
        }
        self._length, self.n = settings.length, settings.test_clips
        self._crop = settings.size if settings.short_side else None
        self._flip = settings.flip

    @classmethod
    def open(cls, index: Index, settings: Input, scratch: Path, jobs: int = 1) -> Self:
        """Open a data set of videos.

        With ``settings.store``, ``jobs`` processes first decode the videos that the store below
        ``scratch`` does not have yet.
        """
        broken = index.broken_rows("cannot be decoded")
        size = (settings.size, settings.size)
        jpeg = 75 if settings.jpeg else None
        frames: Frames
        if settings.store:
            frames = build_store(
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
        return cls(frames, settings, broken)

    def train(
        self, rows: Sequence[int], rng: np.random.Generator, part: slice = slice(None)
    ) -> Tensor:
        """Return one clip per row, [B,1,T,H,W,3], from a random start.

        Crop and flip are the same for all frames of a clip. With ``part``, only the clips of
        ``rows[part]`` are read; they are the same as if all were read. Raises UserError for a file
        that has changed or broken since stage ``data`` read it: no other video takes its place.
        """
        draws = [self._draw(row, rng) for row in rows][part]
        chosen = rows[part]
        clips = (self._training_clip(row, draw) for row, draw in zip(chosen, draws, strict=True))
        return _batch(clips, len(draws)).unsqueeze(1)

    def test(self, rows: Sequence[int]) -> Tensor:
        """Return ``n`` clips per row, [B,n,T,H,W,3], from fixed starts. Raises ``VideoError``."""
        whole = _batch((self._test_clips(row) for row in rows), len(rows))
        return whole.view(len(rows), self.n, self._length, *whole.shape[2:])

    def _draw(self, row: int, rng: np.random.Generator) -> _Draw:
        start = train_start(self.frames.frames(row), self._length, rng)
        down, right = rng.random(2).tolist() if self._crop else (0.0, 0.0)
        return _Draw(start, down, right, bool(self._flip and rng.random() < 0.5))

    def _training_clip(self, row: int, draw: _Draw) -> Pixels:
        wanted = clip_indices(draw.start, self._length, self.frames.frames(row))
        try:
            clip = self.frames.clip(row, wanted)
        except VideoError as error:
            raise UserError(f"training video {error}; {CHANGED}") from error
        if self._crop:
            height, width = clip.shape[1:3]
            y = int(draw.down * (height - self._crop + 1))  # every place is equally likely
            x = int(draw.right * (width - self._crop + 1))
            clip = clip[:, y : y + self._crop, x : x + self._crop]
        return clip[:, :, ::-1] if draw.flip else clip

    def _test_clips(self, row: int) -> Pixels:
        """Return the frames of all test clips, one clip after the other, cropped in the middle."""
        wanted = test_indices(self.frames.frames(row), self._length, self.n)
        clip = self.frames.clip(row, wanted)
        if self._crop:
            y, x = (round((side - self._crop) / 2) for side in clip.shape[1:3])  # half to even
            clip = clip[:, y : y + self._crop, x : x + self._crop]
        return clip


def _batch(clips: Iterable[Pixels], count: int) -> Tensor:
    """Copy ``count`` clips of one shape into a batch, each once."""
    batch = torch.empty(0, dtype=torch.uint8)
    for filled, clip in enumerate(clips):
        if not filled:
            batch = torch.empty((count, *clip.shape), dtype=torch.uint8)
            array = batch.numpy()
        if clip.shape != array.shape[1:]:
            raise ValueError(f"a clip of shape {clip.shape} among {array.shape[1:]}")
        array[filled] = clip
    return batch


def store_folder(scratch: Path, dataset: str, settings: Input) -> Path:
    """Return the folder below ``scratch`` that holds a data set's decoded frames."""
    return scratch / f"{dataset}-{settings.size}{'-jpeg' if settings.jpeg else ''}"


def prepare_store(index: Index, settings: Input, scratch: Path, jobs: int) -> str:
    """Decode all videos of a data set into its store; return what happened, in one line.

    Prints the size first; UserError if the disk has too little space for it.
    """
    settings = settings.model_copy(update={"store": True})
    frames, side = int(index.frames.sum()), settings.size
    size = frames * side * side * 3
    scratch.mkdir(parents=True, exist_ok=True)
    stored = store_folder(scratch, index.name, settings).glob("frames-*.bin")
    free = shutil.disk_usage(scratch).free + sum(path.stat().st_size for path in stored)
    print(
        f"{index.name}: {len(index.paths)} videos, {frames} frames of {side}×{side}: "
        f"{size / 1e9:.2f} GB",
        flush=True,
    )
    if size > free:
        raise UserError(
            f"{scratch}: {free / 1e9:.2f} GB free, {size / 1e9:.2f} GB needed for {index.name}; "
            "make .bench a link to a folder on a larger disk, or keep input.store at false"
        )
    failures = ClipReader.open(index, settings, scratch, jobs).failures
    return f"{index.name}: ready{f', {len(failures)} cannot be read' if failures else ''}"


def train_start(frames: int, length: int, rng: np.random.Generator) -> int:
    """Draw the first frame of a training clip, uniform in [0, max(1, frames - length))."""
    return int(rng.integers(max(1, frames - length)))


def clip_indices(start: int, length: int, frames: int) -> list[int]:
    """Return ``length`` consecutive frame numbers from ``start``, modulo ``frames``."""
    return [(start + k) % frames for k in range(length)]


def test_starts(frames: int, n: int) -> list[int]:
    """Return the first frames of the test clips: k * period, with period = max(frames // n, 1).

    There are min(n, frames // period) of them, fewer than n for a video of fewer than n frames. The
    length of a clip does not matter: one that reaches past the end continues at the beginning.
    """
    period = max(frames // n, 1)
    return [k * period for k in range(min(n, frames // period))]


def test_indices(frames: int, length: int, n: int) -> list[int]:
    """Return the n * length frame numbers of the n test clips, clip after clip.

    Where a short video has fewer than n starts, its first ``length`` frames fill the rest.
    """
    starts = test_starts(frames, n)
    starts += [0] * (n - len(starts))
    return [index for start in starts for index in clip_indices(start, length, frames)]
