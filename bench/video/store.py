"""The store: every frame of a data set at the network's size, decoded once, in mapped files.

A store is an index, ``frames-<key>.json``, beside its shards, ``frames-<key>.<number>.bin``: the
frames of consecutive videos, uint8 [frames,h,w,3], one after the other. The index lists the videos'
paths, their lengths in that order, the failures, and of each shard its videos, bytes and digest. It
is written last, so that a store with an index is a whole one.
"""

from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate
from pathlib import Path

import numpy as np

from bench.files import known_digest, read_json
from bench.video.frames import check_indices
from bench.video.read import VideoError
from bench.video.rgb import Pixels

SHARD = {"videos": int, "bytes": int, "mtime": int, "digest": str}


class FrameStore:
    """``Frames`` from a store; safe to pickle and to fork."""

    def __init__(self, index: Path) -> None:
        """Read the ``index`` file (UserError if damaged); pixels are mapped at the first use."""
        content = read_json(
            index, shape=[int], paths=[str], lengths=[int], failures={str: str}, shards=[SHARD]
        )
        self._index = index
        self._shape: tuple[int, ...] = tuple(content["shape"])  # of a frame
        self._paths: list[str] = content["paths"]
        self._lengths: list[int] = content["lengths"]
        self._shards: list[dict[str, int | str]] = content["shards"]
        self.failures: dict[int, str] = {int(i): why for i, why in content["failures"].items()}

    def __len__(self) -> int:
        """Return how many videos there are, failed ones included."""
        return len(self._paths)

    def frames(self, i: int) -> int:
        """Return how many frames video ``i`` has; 0 if it failed."""
        return self._lengths[i]

    def clip(self, i: int, indices: Sequence[int]) -> Pixels:
        """Return frames of video ``i`` as uint8 [n,h,w,3].

        Consecutive frames are a read-only view of the mapped file, which nothing has copied. Raises
        ``VideoError`` where the shard is gone.
        """
        check_indices(self, i, indices, Path(self._paths[i]))
        shard, offset = self._places[i]
        pixels = self._pixels(shard)
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
    def _mapped(self) -> dict[int, Pixels]:
        return {}

    @cached_property
    def _places(self) -> list[tuple[int, int]]:
        """Each video's shard, and its first frame there."""
        places: list[tuple[int, int]] = []
        for number, shard in enumerate(self._shards):
            part = self._lengths[len(places) :][: int(shard["videos"])]
            places += [(number, end - n) for n, end in zip(part, accumulate(part), strict=True)]
        return places

    def _pixels(self, number: int) -> Pixels:
        if number not in self._mapped:
            path = shard_path(self._index, number)
            try:
                self._mapped[number] = np.asarray(
                    np.memmap(path, np.uint8, "r").reshape(-1, *self._shape)
                )
            except (OSError, ValueError) as error:
                raise VideoError(path, f"is no shard of its store any more ({error})") from None
        return self._mapped[number]

    def __reduce__(self) -> tuple[type["FrameStore"], tuple[Path]]:
        """Pickle the index's path alone: a pickled memory map would carry every frame."""
        return FrameStore, (self._index,)


def shard_path(index: Path, number: int) -> Path:
    """Return where a shard of the store with this index lies."""
    return index.with_suffix(f".{number:05d}.bin")
