"""The store: every frame of a data set at the network's size, decoded once, in mapped files.

A store is an index, ``frames-<key>.json``, beside its shards, ``frames-<key>.<number>.bin``: the
frames of consecutive videos, uint8 [frames,h,w,3], one after the other. The index lists the videos'
paths, their lengths in that order, the failures, and of each shard its videos, bytes and digest. It
is written last, so that a store with an index is a whole one, and removed before any shard is made
anew, so that shards which were mapped while it stood are its own.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from functools import cached_property, partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.data.video.decode import Backend, Pixels, VideoError
from bench.data.video.frame_reader import check_indices, read_resized
from bench.errors import UserError
from bench.utils.io import (
    digest,
    file_digest,
    known_digest,
    locked,
    read_json,
    replacing,
    write_json,
)
from bench.utils.processes import spawned
from bench.utils.progress import track

FORMAT = 5
SHARD_BYTES = 2**30
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
    broken: Mapping[int, str] | None = None,
) -> FrameStore:
    """Decode the videos ``root / path`` into ``directory`` with ``jobs`` processes; return a store.

    ``directory`` is for this data set alone: a store of the same ``key`` (the manifest's hash),
    paths and parameters is reused, one of other content is replaced; of one that was not finished,
    or is damaged, or has a video whose file has another size now, the shards before the first such
    one are reused. A file that is gone is no reason: its frames are here. ``size`` is (h, w);
    ``jpeg`` and ``backend`` as in ``read_resized``. A video that fails is in ``failures``, as is
    one that ``broken`` names, with the reason why it is not decoded at all; the others of them are
    tried again whenever the store is opened, since a disk may have failed and not the file. Raises
    UserError if a process dies that decodes, or none of the files to decode is there.
    """
    known = broken or {}
    videos = [root / path for path in paths]
    sizes = [video.stat().st_size if video.is_file() else -1 for video in videos]
    name = digest([FORMAT, key, list(paths), list(size), jpeg])
    index = directory / f"frames-{name}.json"
    with locked(directory / ".lock"):
        decode = partial(_decode, size=size, jpeg=jpeg, backend=backend)
        if store := _opened(index, sizes):
            again = [i for i in store.failures if i not in known]
            tried = _decode_all(decode, [videos[i] for i in again], min(jobs, len(again)))
            mended = [
                i for i, found in zip(again, tried, strict=True) if not isinstance(found, str)
            ]
            if not mended or _loses(store, store.shard(mended[0]), sizes):
                return store
            _part(index, store.shard(mended[0])).unlink(missing_ok=True)
        shards = _written(index, sizes)
        done = sum(len(one["lengths"]) for one in shards)
        todo = [known.get(i, video) for i, video in enumerate(videos)][done:]
        there = [one.is_file() for one in todo if isinstance(one, Path)]
        if there and not any(there):
            raise UserError(
                f"{root}: none of the {len(there)} videos to decode is there; is its disk mounted?"
            )
        index.unlink(missing_ok=True)
        for old in directory.glob("*frames-*"):  # what a kill left, too: ours is the only writer
            if not old.name.startswith(f"{index.stem}."):
                old.unlink()
        decoded = _decode_all(decode, todo, jobs)
        written = _shard_by_shard(index, shards, decoded, sizes)
        for video in track(written, len(videos), "decoding videos"):
            del video
        lengths = [length for one in shards for length in one["lengths"]]
        failures = {i: why for one in shards for i, why in one["failures"].items()}
        write_json(
            index,
            {
                "shape": [*size, 3],
                "paths": list(paths),
                "sizes": [size for one in shards for size in one["sizes"]],
                "lengths": lengths,
                "failures": failures,
                "shards": [{name: one[name] for name in SHARD} for one in shards],
            },
        )
        return FrameStore(index)


def _opened(index: Path, sizes: Sequence[int]) -> FrameStore | None:
    """Return the store of an index, or None where there is none, or a damaged or another one."""
    try:
        if (content := read_json(index, sizes=[int])) is None:
            return None
        store = FrameStore(index)
    except UserError:
        return None
    same = _are_same(content["sizes"], sizes, store.failures)
    return store if same and store.is_whole() else None


def _are_same(was: Sequence[int], now: Sequence[int], failed: Collection[int]) -> bool:
    """Tell whether files have the sizes that they had, but for those gone or failed before."""
    pairs = enumerate(zip(was, now, strict=True))
    return all(new in (old, -1) or i in failed for i, (old, new) in pairs)


def _loses(store: FrameStore, shard: int, sizes: Sequence[int]) -> bool:
    """Tell whether frames would be lost, were this shard and those after it made anew."""
    gone = (i for i, size in enumerate(sizes) if size < 0 and store.frames(i))
    return any(store.shard(i) >= shard for i in gone)


def _part(index: Path, number: int) -> Path:
    """Return where the index of a shard alone lies, from which an unfinished store goes on."""
    return shard_path(index, number).with_suffix(".json")


def _written(index: Path, sizes: Sequence[int]) -> list[dict[str, Any]]:
    """Return what is said of the shards that an earlier build finished, up to the first bad one."""
    shards: list[dict[str, Any]] = []
    shape = {**SHARD, "sizes": [int], "lengths": [int], "failures": {str: str}}
    done = 0
    while True:
        number = len(shards)
        try:
            one = read_json(_part(index, number), **shape)
        except UserError:
            one = None
        path = shard_path(index, number)
        if one is None or not path.is_file() or file_digest(path) != one["digest"]:
            return shards
        now = sizes[done : done + len(one["sizes"])]
        if not _are_same(one["sizes"], now, {int(i) - done for i in one["failures"]}):
            return shards
        done += len(now)
        shards.append({**one, "mtime": path.stat().st_mtime_ns})


def _shard_by_shard(
    index: Path,
    shards: list[dict[str, Any]],
    decoded: Iterator[Pixels | str],
    sizes: Sequence[int],
) -> Iterator[None]:
    """Append shards until ``decoded`` ends; yield once for each video, those before included."""
    done = sum(len(one["lengths"]) for one in shards)
    for _ in range(done):
        yield
    more = next(decoded, None)
    while more is not None:
        lengths: list[int] = []
        failures: dict[int, str] = {}
        path, written = shard_path(index, len(shards)), 0
        with replacing(path) as part, part.open("wb") as handle:
            while more is not None and written < SHARD_BYTES:
                if isinstance(more, str):
                    failures[done] = more
                    lengths.append(0)
                else:
                    written += handle.write(more.data)
                    lengths.append(len(more))
                done += 1
                yield
                more = next(decoded, None)
            handle.flush()
            found = file_digest(part)
        facts: dict[str, Any] = {"videos": len(lengths), "bytes": written, "digest": found}
        facts |= {"mtime": path.stat().st_mtime_ns, "lengths": lengths}
        facts["sizes"] = list(sizes[done - len(lengths) : done])
        facts["failures"] = {str(i): why for i, why in failures.items()}
        write_json(_part(index, len(shards)), facts)
        shards.append(facts)


def _decode(path: Path, size: tuple[int, int], jpeg: int | None, backend: Backend) -> Pixels | str:
    """Return all frames of a video, or the reason why there are none."""
    try:
        return read_resized(path, size, jpeg=jpeg, backend=backend)
    except VideoError as error:
        return error.reason


def _decode_all(
    decode: Callable[[Path], Pixels | str], videos: Sequence[Path | str], jobs: int
) -> Iterator[Pixels | str]:
    """Yield the decoded videos in order, a few ahead of the reader: memory is bounded.

    A text stands for a video that is not decoded, and is passed on.
    """
    if jobs <= 1:
        yield from (one if isinstance(one, str) else decode(one) for one in videos)
        return
    with spawned(jobs, torch.set_num_threads, 1) as pool:
        ahead: deque[tuple[Path | str, Future[Pixels | str] | None]] = deque()
        for video in [*videos, *[""] * 8 * jobs]:
            ahead.append((video, None if isinstance(video, str) else pool.submit(decode, video)))
            if len(ahead) > 8 * jobs:
                yield _result(*ahead.popleft())


def _result(video: Path | str, decoded: "Future[Pixels | str] | None") -> Pixels | str:
    try:
        return decoded.result() if decoded else str(video)
    except BrokenProcessPool:
        raise UserError(
            f"a process died that decoded {video} or one of the next videos; run 'bench data "
            "check', which finds it, or use fewer --jobs if memory ran out"
        ) from None
