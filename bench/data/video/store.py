"""The store: every frame of a data set at the network's size, decoded once, in mapped files.

A store is an index, ``frames-<key>.json``, beside its shards, ``frames-<key>.<number>.bin``: the
frames of consecutive videos, uint8 [frames,h,w,3], one after the other. The index lists the videos'
paths, their lengths in that order, the failures, and of each shard its videos, bytes and digest. It
is written last, so that a store with an index is a whole one, and removed before any shard is made
anew, so that shards which were mapped while it stood are its own.
"""

from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate
from pathlib import Path

import numpy as np

from bench.data.video.colour import Pixels
from bench.data.video.readers import check_indices
from bench.errors import UserError
from bench.utils.io import known_digest, read_json

SHARD = {"videos": int, "bytes": int, "mtime": int, "digest": str}


class FrameStore:
    """``Frames`` from a store; safe to pickle and to fork."""

    def __init__(self, index: Path) -> None:
        """Read the ``index`` file and map its shards, whose pixels are read at their first use.

        So what is open stays as it is, though another process makes the store anew. Raises
        UserError if the index is missing or damaged, or a shard is not there as it was written.
        """
        content = read_json(
            index, shape=[int], paths=[str], lengths=[int], failures={str: str}, shards=[SHARD]
        )
        if content is None:
            raise UserError(f"{index} is missing: its store is made anew; start again after that")
        self._index = index
        self._shape: tuple[int, ...] = tuple(content["shape"])  # of a frame
        self._paths: list[str] = content["paths"]
        self._lengths: list[int] = content["lengths"]
        self._shards: list[dict[str, int | str]] = content["shards"]
        self.failures: dict[int, str] = {int(i): why for i, why in content["failures"].items()}
        self._pixels = [self._mapped(number) for number in range(len(self._shards))]
        if not index.is_file():
            raise UserError(f"{index} is missing: its store is made anew; start again after that")

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
        shard, offset = self._places[i]
        pixels = self._pixels[shard]
        first = indices[0] if indices else 0
        if list(indices) == list(range(first, first + len(indices))):
            return pixels[offset + first : offset + first + len(indices)]
        return pixels.take(np.asarray(indices, np.int64) + offset, axis=0)

    def shard(self, i: int) -> int:
        """Return which shard video ``i`` lies in."""
        return self._places[i][0]

    def is_whole(self) -> bool:
        """Tell whether the shards are there and those that were written.

        One whose size and time of writing are as they were is not read for that; any other is.
        """
        for number, shard in enumerate(self._shards):
            path = shard_path(self._index, number)
            found = path.stat() if path.is_file() else None
            if found is None or found.st_size != shard["bytes"]:
                return False
            if found.st_mtime_ns != shard["mtime"] and known_digest(path) != shard["digest"]:
                return False
        return True

    @cached_property
    def _places(self) -> list[tuple[int, int]]:
        """Each video's shard, and its first frame there."""
        places: list[tuple[int, int]] = []
        for number, shard in enumerate(self._shards):
            part = self._lengths[len(places) :][: int(shard["videos"])]
            places += [(number, end - n) for n, end in zip(part, accumulate(part), strict=True)]
        return places

    def _mapped(self, number: int) -> Pixels:
        path, size = shard_path(self._index, number), self._shards[number]["bytes"]
        if not size:  # of failed videos alone; an empty file cannot be mapped
            return np.empty((0, *self._shape), np.uint8)
        try:
            found = np.memmap(path, np.uint8, "r")
            if len(found) != size:
                raise ValueError(f"{len(found)} bytes, not {size}")
            return np.asarray(found.reshape(-1, *self._shape))
        except (OSError, ValueError) as error:
            raise UserError(f"{path} is no shard of its store any more ({error})") from None

    def __reduce__(self) -> tuple[type["FrameStore"], tuple[Path]]:
        """Pickle the index's path alone: a pickled memory map would carry every frame."""
        return FrameStore, (self._index,)


def shard_path(index: Path, number: int) -> Path:
    """Return where a shard of the store with this index lies."""
    return index.with_suffix(f".{number:05d}.bin")
