"""The frame store: all frames of a data set at the network's size, decoded once and memory-mapped.

A store is an index, ``frames-<key>.json``, and its shards, ``frames-<key>.<number>.bin``: frames
of consecutive videos, uint8 [frames,h,w,3]. The index lists the paths of the videos, their lengths,
the failures, and the videos, bytes and digest of each shard. It is written last and removed before
a shard is replaced: a store with an index is complete, and the shards mapped with it are its own.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from functools import cached_property, partial
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch

from bench.data.formats.frame_store_file import FrameStoreFile, Shard, ShardFile
from bench.data.video.decode import Backend, Pixels, VideoError, check_indices, read_resized
from bench.errors import UserError
from bench.utils.io import (
    digest,
    file_digest,
    known_digest,
    locked,
    replacing,
)
from bench.utils.terminal import track
from bench.utils.worker_pool import spawned

FORMAT = 5
SHARD_BYTES = 2**30


class FrameStore:
    """``Frames`` of a store; safe to pickle and to fork."""

    def __init__(self, index: Path) -> None:
        """Read the ``index`` file and map its shards, whose pixels are read on first use.

        An open store does not change while another process rebuilds it. Raises UserError if the
        index is missing or damaged, or a shard is not as it was written.
        """
        content = FrameStoreFile.read(index)
        self._index = index
        if content is not None:
            self._shape, self._paths, self._lengths = content.shape, content.paths, content.lengths
            self._shards = content.shards
            self.failures = {int(i): why for i, why in content.failures.items()}
            self._pixels = [self._mapped(number) for number in range(len(self._shards))]
        if content is None or not index.is_file():
            raise UserError(f"{index} is missing: its store is being rebuilt; try again later")

    def __len__(self) -> int:
        """Return how many videos there are, failed ones included."""
        return len(self._paths)

    def frames(self, i: int) -> int:
        """Return how many frames video ``i`` has; 0 if it failed."""
        return self._lengths[i]

    def clip(self, i: int, indices: Sequence[int]) -> Pixels:
        """Return frames of video ``i`` as uint8 [n,h,w,3].

        Consecutive frames are a read-only view of the mapped file; nothing is copied.
        """
        check_indices(self, i, indices, Path(self._paths[i]))
        shard, offset = self._places[i]
        pixels = self._pixels[shard]
        first = indices[0] if indices else 0
        if list(indices) == list(range(first, first + len(indices))):
            return pixels[offset + first : offset + first + len(indices)]
        return pixels.take(np.asarray(indices, np.int64) + offset, axis=0)

    def shard(self, i: int) -> int:
        """Return the number of the shard that has video ``i``."""
        return self._places[i][0]

    def is_whole(self) -> bool:
        """Tell whether all shards are as they were written.

        A shard is only read for this if its time of writing has changed.
        """
        for number, shard in enumerate(self._shards):
            path = shard_path(self._index, number)
            found = path.stat() if path.is_file() else None
            if found is None or found.st_size != shard.bytes:
                return False
            if found.st_mtime_ns != shard.mtime and known_digest(path) != shard.digest:
                return False
        return True

    @cached_property
    def _places(self) -> list[tuple[int, int]]:
        """The shard of each video and its first frame there."""
        places: list[tuple[int, int]] = []
        for number, shard in enumerate(self._shards):
            part = self._lengths[len(places) :][: shard.videos]
            places += [(number, end - n) for n, end in zip(part, accumulate(part), strict=True)]
        return places

    def _mapped(self, number: int) -> Pixels:
        path, size = shard_path(self._index, number), self._shards[number].bytes
        if not size:  # only failed videos; an empty file cannot be mapped
            return np.empty((0, *self._shape), np.uint8)
        try:
            found = np.memmap(path, np.uint8, "r")
            if len(found) != size:
                raise ValueError(f"{len(found)} bytes, not {size}")
            return np.asarray(found.reshape(-1, *self._shape))
        except (OSError, ValueError) as error:
            raise UserError(f"{path} is no longer a shard of its store ({error})") from None

    def __reduce__(self) -> tuple[type["FrameStore"], tuple[Path]]:
        """Pickle only the path of the index: a pickled memory map would contain every frame."""
        return FrameStore, (self._index,)


def shard_path(index: Path, number: int) -> Path:
    """Return the path of a shard of the store with this index."""
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
    """Decode the videos ``root / path`` into ``directory`` with ``jobs`` processes.

    ``directory`` holds one store, of this data set. A store with the same ``key`` (hash of the
    manifest), paths and parameters is reused; any other is replaced. If it is unfinished or damaged
    or the file of a video has changed its size, the shards before that place are reused. A file
    that was deleted does not count as changed. ``size`` is (h, w); ``jpeg`` and ``backend`` are
    those of ``read_resized``. Videos that fail are listed in ``failures``, with those in ``broken``
    (row -> reason), which are not decoded. Failed ones are tried again whenever the store is
    opened, since the disk may have failed and not the file. Raises UserError if a decoding process
    dies, or if none of the files to decode exists.
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
            recovered = [
                i for i, found in zip(again, tried, strict=True) if not isinstance(found, str)
            ]
            if not recovered or _loses(store, store.shard(recovered[0]), sizes):
                return store
            _part(index, store.shard(recovered[0])).unlink(missing_ok=True)
        shards = _written(index, sizes)
        done = sum(len(one.lengths) for one in shards)
        todo = [known.get(i, video) for i, video in enumerate(videos)][done:]
        there = [one.is_file() for one in todo if isinstance(one, Path)]
        if there and not any(there):
            raise UserError(
                f"{root}: none of the {len(there)} videos to decode exists; is its disk mounted?"
            )
        index.unlink(missing_ok=True)
        for old in directory.glob("*frames-*"):  # also what a killed process left
            if not old.name.startswith(f"{index.stem}."):
                old.unlink()
        decoded = _decode_all(decode, todo, jobs)
        written = _shard_by_shard(index, shards, decoded, sizes)
        for video in track(written, len(videos), "decoding videos"):
            del video
        lengths = [length for one in shards for length in one.lengths]
        failures = {i: why for one in shards for i, why in one.failures.items()}
        FrameStoreFile(
            shape=[*size, 3],
            paths=list(paths),
            sizes=[size for one in shards for size in one.sizes],
            lengths=lengths,
            failures=failures,
            shards=[Shard(**one.model_dump(include=set(Shard.model_fields))) for one in shards],
        ).write(index)
        return FrameStore(index)


def _opened(index: Path, sizes: Sequence[int]) -> FrameStore | None:
    """Return the store of an index; None if it is missing, damaged or of other files."""
    try:
        if (content := FrameStoreFile.read(index)) is None:
            return None
        store = FrameStore(index)
    except UserError:
        return None
    same = _are_same(content.sizes, sizes, store.failures)
    return store if same and store.is_whole() else None


def _are_same(was: Sequence[int], now: Sequence[int], failed: Collection[int]) -> bool:
    """Tell whether files have their old sizes; deleted and failed ones do not count."""
    pairs = enumerate(zip(was, now, strict=True))
    return all(new in (old, -1) or i in failed for i, (old, new) in pairs)


def _loses(store: FrameStore, shard: int, sizes: Sequence[int]) -> bool:
    """Tell whether rebuilding from this shard on would lose frames of deleted files."""
    gone = (i for i, size in enumerate(sizes) if size < 0 and store.frames(i))
    return any(store.shard(i) >= shard for i in gone)


def _part(index: Path, number: int) -> Path:
    """Return the path of a shard's own index, from which an unfinished store is continued."""
    return shard_path(index, number).with_suffix(".json")


def _written(index: Path, sizes: Sequence[int]) -> list[ShardFile]:
    """Return the descriptions of the shards that are finished, up to the first bad one."""
    shards: list[ShardFile] = []
    done = 0
    while True:
        number = len(shards)
        try:
            one = ShardFile.read(_part(index, number))
        except UserError:
            one = None
        path = shard_path(index, number)
        if one is None or not path.is_file() or file_digest(path) != one.digest:
            return shards
        now = sizes[done : done + len(one.sizes)]
        if not _are_same(one.sizes, now, {int(i) - done for i in one.failures}):
            return shards
        done += len(now)
        shards.append(one.model_copy(update={"mtime": path.stat().st_mtime_ns}))


def _shard_by_shard(
    index: Path,
    shards: list[ShardFile],
    decoded: Iterator[Pixels | str],
    sizes: Sequence[int],
) -> Iterator[None]:
    """Append shards until ``decoded`` ends; yield once per video, including those done before."""
    done = sum(len(one.lengths) for one in shards)
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
        shard = ShardFile(
            videos=len(lengths),
            bytes=written,
            mtime=path.stat().st_mtime_ns,
            digest=found,
            sizes=list(sizes[done - len(lengths) : done]),
            lengths=lengths,
            failures={str(i): why for i, why in failures.items()},
        )
        shard.write(_part(index, len(shards)))
        shards.append(shard)


def _decode(path: Path, size: tuple[int, int], jpeg: int | None, backend: Backend) -> Pixels | str:
    """Return all frames of a video, or the reason why it cannot be decoded."""
    try:
        return read_resized(path, size, jpeg=jpeg, backend=backend)
    except VideoError as error:
        return error.reason


def _decode_all(
    decode: Callable[[Path], Pixels | str], videos: Sequence[Path | str], jobs: int
) -> Iterator[Pixels | str]:
    """Yield the decoded videos in order, a few ahead of the reader to bound memory.

    A text in place of a path is the reason why a video is not decoded; it is passed on.
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
