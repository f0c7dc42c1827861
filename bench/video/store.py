"""The store: every frame of a small data set, decoded once, in one memory-mapped file.

A store is ``frames-<key>.npy``, uint8 [all frames,h,w,3], and ``frames-<key>.json``: the videos'
paths, their lengths in that order, the failures, and the digest of the frames' file. The index is
written last, so that a store with an index is a whole one.
"""

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from functools import cached_property, partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch

from bench.errors import UserError
from bench.files import (
    digest,
    file_digest,
    known_digest,
    locked,
    read_json,
    replacing,
    write_json,
)
from bench.progress import track
from bench.video.frames import check_indices, read_resized
from bench.video.read import Backend, VideoError
from bench.video.rgb import Pixels

FORMAT = 3


class FrameStore:
    """``Frames`` from a store; safe to pickle and to fork."""

    def __init__(self, index: Path) -> None:
        """Read the ``index`` file (UserError if damaged); pixels are mapped at the first use."""
        content = read_json(
            index, "digest", shape=[int], paths=[str], lengths=[int], failures={str: str}
        )
        self._index = index
        self._digest: str = content["digest"]
        self._shape: tuple[int, ...] = tuple(content["shape"])
        self._paths: list[str] = content["paths"]
        self._lengths: list[int] = content["lengths"]
        self._offsets: list[int] = (np.cumsum(self._lengths) - self._lengths).tolist()
        self.failures: dict[int, str] = {int(i): why for i, why in content["failures"].items()}

    def __len__(self) -> int:
        """Return how many videos there are, failed ones included."""
        return len(self._paths)

    def frames(self, i: int) -> int:
        """Return how many frames video ``i`` has; 0 if it failed."""
        return self._lengths[i]

    def clip(self, i: int, indices: Sequence[int]) -> Pixels:
        """Return frames of video ``i`` as uint8 [n,h,w,3].

        Consecutive frames are a read-only view of the mapped file, which nothing has copied.
        """
        check_indices(self, i, indices, Path(self._paths[i]))
        first = indices[0] if indices else 0
        if list(indices) == list(range(first, first + len(indices))):
            start = self._offsets[i] + first
            return self._pixels[start : start + len(indices)]
        return self._pixels.take(np.asarray(indices, np.int64) + self._offsets[i], axis=0)

    def is_whole(self) -> bool:
        """Tell whether the frames' file is there and the one that was written."""
        return known_digest(self._index.with_suffix(".npy")) == self._digest

    @cached_property
    def _pixels(self) -> Pixels:
        empty = not self._shape[0]  # which cannot be mapped
        mapped = np.load(
            self._index.with_suffix(".npy"), mmap_mode=None if empty else "r", allow_pickle=False
        )
        return np.asarray(mapped)

    def __reduce__(self) -> tuple[type["FrameStore"], tuple[Path]]:
        """Pickle the index's path alone: a pickled memory map would carry every frame."""
        return FrameStore, (self._index,)


def build_store(
    directory: Path,
    root: Path,
    paths: Sequence[str],
    size: tuple[int, int],
    jobs: int,
    *,
    key: str,
    jpeg: int | None = None,
    backend: Backend = "auto",
) -> FrameStore:
    """Decode the videos ``root / path`` into ``directory`` with ``jobs`` processes; return a store.

    ``directory`` is for this data set alone: a store of the same ``key`` (the manifest's hash),
    paths, file sizes and parameters is reused, one of other content is replaced. ``size`` is
    (h, w); ``jpeg`` and ``backend`` as in ``read_resized``. A video that fails is in ``failures``.
    """
    videos = [root / path for path in paths]
    sizes = [video.stat().st_size if video.is_file() else -1 for video in videos]
    name = digest([FORMAT, key, list(paths), sizes, list(size), jpeg])
    index = directory / f"frames-{name}.json"
    with locked(directory / ".lock"):
        if store := _opened(index):
            return store
        for part in directory.glob(".frames-*.part"):  # left by a kill; ours is the only writer
            part.unlink()
        decode = partial(_decode, size=size, jpeg=jpeg, backend=backend)
        content = _write(index.with_suffix(".npy"), _decode_all(decode, videos, jobs), size, paths)
        write_json(index, content)
        for old in directory.glob("frames-*.*"):
            if old.stem != index.stem:
                old.unlink()
    return FrameStore(index)


def _opened(index: Path) -> FrameStore | None:
    """Return the store of an index, or None where there is none or either file is damaged."""
    try:
        store = FrameStore(index) if index.is_file() else None
    except UserError:
        return None
    return store if store and store.is_whole() else None


def _write(
    path: Path,
    decoded: Iterator[Pixels | str],
    size: tuple[int, int],
    paths: Sequence[str],
) -> dict[str, object]:
    """Write the frames as they come, whole or not at all; return the index."""
    lengths: list[int] = []
    failures: dict[int, str] = {}
    with replacing(path) as part, part.open("wb") as handle:
        _header(handle, (0, *size, 3))
        for i, video in enumerate(track(decoded, len(paths), "decoding videos")):
            if isinstance(video, str):
                failures[i] = video
                lengths.append(0)
            else:
                handle.write(video.data)
                lengths.append(len(video))
        shape = (sum(lengths), *size, 3)
        handle.seek(0)
        _header(handle, shape)
        handle.flush()
        written = file_digest(part)
    return {
        "shape": shape,
        "paths": list(paths),
        "lengths": lengths,
        "failures": failures,
        "digest": written,
    }


def _header(handle: BinaryIO, shape: tuple[int, ...]) -> None:
    """Write the .npy header; numpy pads it so that any first dimension fits in the same bytes."""
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(handle, header)


def _decode(path: Path, size: tuple[int, int], jpeg: int | None, backend: Backend) -> Pixels | str:
    """Return all frames of a video, or the reason why there are none."""
    try:
        return read_resized(path, size, jpeg=jpeg, backend=backend)
    except VideoError as error:
        return error.reason


def _decode_all(
    decode: Callable[[Path], Pixels | str], videos: Sequence[Path], jobs: int
) -> Iterator[Pixels | str]:
    """Yield the decoded videos in order, a few ahead of the reader: memory is bounded."""
    if jobs <= 1:
        yield from map(decode, videos)
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, spawn, torch.set_num_threads, (1,)) as pool:
        ahead: deque[Future[Pixels | str]] = deque()
        for video in videos:
            ahead.append(pool.submit(decode, video))
            if len(ahead) >= 8 * jobs:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
