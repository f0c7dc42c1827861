"""What a clip costs training, by the format of the store: ``python benchmarks/formats.py``.

A batch of 64 clips 16×112×112 goes through ``ClipReader``, from the store (raw frames in mapped
shards), and from the same frames kept otherwise: JPEG in files, in a tar, in a mapped
file with a table of offsets; PNG and zlib, which lose nothing; LMDB; H.264. All formats get the
same clips, turn by turn, and each round draws others. Seconds are of the processor; the files are
in the system's cache. Bytes are whole blocks of 4,096, as disks give them.

A tar is what WebDataset's shards are. WebDataset itself reads them from front to end and shuffles
what a buffer holds; here a clip is found by tarfile's index, so that it is as random as ours.
ffcv's file is mapped and has a table of offsets, its pictures are raw or JPEG: those rows are here,
ffcv itself is not run. LMDB is measured where the package ``lmdb`` can be imported.

The store is made of moving pictures (``moving_videos.py``), or of the videos under --videos. JPEG
has quality 90 where nothing else is said; H.264 has crf 20, no B frames and x264's fastdecode.
"""

import argparse
import importlib.util
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from feed import keep_freed_memory
from format_files import FORMATS, FPS, LENGTH, SIDE, Kept
from moving_videos import moving
from tabulate import tabulate

from bench.config.schema import Input
from bench.data.synthetic.moving_shapes import write_h264
from bench.data.video.clip_reader import ClipReader
from bench.data.video.decode import Frames
from bench.data.video.frame_store import build_store

FRAMES, VIDEOS, BATCH, ROUNDS, BLOCK = 120, 24, 64, 9, 4096
STORE = "raw, mapped shards: the store"


@dataclass(frozen=True)
class Result:
    """What one format gave: seconds of each round's batch, or why there are none."""

    name: str
    seconds: Sequence[float] = ()
    clips: int = 0  # of a batch
    clip_bytes: float = 0  # on disk
    off: float = 0  # mean absolute difference from the store's pixels, of 255
    why: str = ""


def clip_bytes(folder: Path, frames: int) -> float:
    """Return what a clip takes on disk, of a folder that holds so many frames."""
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return sum(-(-size // BLOCK) * BLOCK for size in sizes) * LENGTH / frames


def measure(quick: bool = False, folder: Path | None = None) -> list[Result]:
    """Return the store's result and then that of each format."""
    torch.set_num_threads(1)
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as made:
        root = Path(made)
        source = folder or root / "videos"
        if folder is None:
            source.mkdir()
            rng = np.random.default_rng(0)
            for number in range(2 if quick else VIDEOS):
                write_h264(source / f"{number}.mp4", moving(rng, FRAMES), FPS)
        names = sorted(str(p.relative_to(source)) for p in source.rglob("*") if p.is_file())
        store = build_store(root / "store", source, names, (SIDE, SIDE), 1, key="")
        # Not one of fewer frames than a clip: it would begin again at its first one.
        usable = [i for i in range(len(store)) if store.frames(i) > LENGTH]
        videos = [store.clip(i, range(store.frames(i))) for i in usable]
        if not videos:
            raise SystemExit(f"error: no video of more than {LENGTH} frames under {source}")
        total = sum(map(len, videos))
        print(f"{len(videos)} videos, {total:,} frames", file=sys.stderr)

        size = total * videos[0][0].nbytes
        results = {STORE: Result(STORE, clip_bytes=size * LENGTH / total)}
        kept: dict[str, Frames] = {
            STORE: Kept(videos, lambda i, indices: store.clip(usable[i], indices))
        }
        for name, make in FORMATS.items():
            place = root / f"format{len(results)}"
            place.mkdir()
            try:
                kept[name] = make(place, videos)
            except ModuleNotFoundError as error:
                results[name] = Result(name, why=f"the package {error.name} is not installed")
                continue
            results[name] = Result(name, clip_bytes=clip_bytes(place, total))
        there = importlib.util.find_spec("ffcv") is not None
        why = "nothing here calls it" if there else "the package ffcv is not installed"
        results["ffcv itself"] = Result("ffcv itself", why=why)
        return list(_timed(kept, results, 8 if quick else BATCH, 3 if quick else ROUNDS))


def _timed(
    kept: Mapping[str, Frames], results: Mapping[str, Result], count: int, rounds: int
) -> Iterator[Result]:
    """Yield the results with their seconds and differences."""
    sources = {name: ClipReader(frames, Input(), {}) for name, frames in kept.items()}

    def batch(name: str, number: int) -> torch.Tensor:
        rng = np.random.default_rng(number)
        return sources[name].train(rng.integers(len(kept[name]), size=count).tolist(), rng)

    right = batch(STORE, 0).short()
    off = {name: float((batch(name, 0) - right).abs().float().mean()) for name in kept}
    seconds: dict[str, list[float]] = {name: [] for name in kept}
    for number in range(1, rounds + 1):
        for name in kept:
            start = time.process_time()
            batch(name, number)
            seconds[name].append(time.process_time() - start)
    for name, one in results.items():
        if name in kept:
            yield Result(name, seconds[name], count, one.clip_bytes, off[name])
        else:
            yield one


def table(results: Iterable[Result]) -> str:
    """Return the results as a table in Markdown."""
    cells: list[tuple[str, ...]] = []
    for one in results:
        if one.why:
            cells.append((one.name, f"not measured: {one.why}", "", "", ""))
            continue
        ms = [1000 * seconds / one.clips for seconds in one.seconds]
        spread = f"{min(ms):.3g}–{max(ms):.3g}"
        size = f"{one.clip_bytes / 1000:.1f}"
        cells.append((one.name, f"{statistics.median(ms):.3g}", spread, size, _off(one)))
    head = ["format", "ms a clip", "spread", "kB a clip", "pixels"]
    return tabulate(cells, head, "pipe", disable_numparse=True)


def _off(one: Result) -> str:
    return f"{one.off:.1f} of 255 off" if one.off else "identical"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="smaller work and fewer rounds")
    parser.add_argument("--videos", type=Path, help="a folder of videos in place of made-up ones")
    options = parser.parse_args()
    print(table(measure(options.quick, options.videos)))
