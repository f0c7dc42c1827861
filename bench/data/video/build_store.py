"""Decode a data set's videos into a store, shard by shard: a kill costs the shard in the making."""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import Any

import torch

from bench.data.video.colour import Pixels
from bench.data.video.decode import Backend, VideoError
from bench.data.video.readers import read_resized
from bench.data.video.store import SHARD, FrameStore, shard_path
from bench.errors import UserError
from bench.utils.io import digest, file_digest, locked, read_json, replacing, write_json
from bench.utils.processes import spawned
from bench.utils.progress import track

FORMAT = 5
SHARD_BYTES = 2**30


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
