"""Feeding training from the store, next to JPEG frames: ``python benchmarks/feed.py``.

A batch of clips 16×112×112 as the training gets it. The plain way reads 340×256 JPEG frames, as a
folder of extracted frames has them, and resizes; ours copies from the store's mapped file. The
seconds are of the processor; divided by the clips they are what a clip costs.
"""

import argparse
import ctypes
import io
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from ratio import Ratio, compare, show

from bench.config.schema import Input
from bench.data.synthetic.moving_shapes import write_h264
from bench.data.video.clip_reader import ClipReader, clip_indices, train_start
from bench.data.video.decode import resize
from bench.data.video.frame_store import build_store

SIDE, LENGTH, FRAMES, VIDEOS, BATCH = 112, 16, 120, 8, 64


def rows(quick: bool = False) -> Iterator[Ratio]:
    """Yield the ratio of one batch."""
    torch.set_num_threads(1)
    keep_freed_memory()
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        names = [f"{number}.mp4" for number in range(VIDEOS)]
        files: list[list[bytes]] = []
        for name in names:
            coarse = rng.integers(0, 256, (FRAMES, 16, 20, 3), np.uint8)
            frames = coarse.repeat(16, 1).repeat(17, 2)  # 256 x 340
            write_h264(root / name, frames)
            files.append([jpeg(frame) for frame in frames])
        store = build_store(root / "store", root, names, (SIDE, SIDE), 1, key="")
        clips = ClipReader(store, Input(), {})
        chosen = rng.integers(VIDEOS, size=8 if quick else BATCH).tolist()

        def plain() -> None:
            draw = np.random.default_rng(1)
            for video in chosen:
                start = train_start(FRAMES, LENGTH, draw)
                read = [files[video][i] for i in clip_indices(start, LENGTH, FRAMES)]
                resize(
                    np.stack([np.asarray(Image.open(io.BytesIO(f))) for f in read]), (SIDE, SIDE)
                )

        def ours() -> None:
            clips.train(chosen, np.random.default_rng(1))

        row = compare(
            f"feeding {len(chosen)} clips from the store", plain, ours, 7, time.process_time
        )
        print(f"a clip costs {1000 * row.fast_s / len(chosen):.3f} ms of processor time")
        yield row


def keep_freed_memory() -> None:
    """Let the C library keep what was freed, as ``bench.training.launchers`` does."""
    limit, trim, size = -3, -1, 1_000_000_000  # M_MMAP_THRESHOLD, M_TRIM_THRESHOLD of mallopt(3)
    library = ctypes.CDLL(None)
    for parameter in (limit, trim):
        library.mallopt(parameter, size)


def jpeg(frame: np.ndarray) -> bytes:
    """Return a frame as a JPEG file."""
    file = io.BytesIO()
    Image.fromarray(frame).save(file, "JPEG", quality=75)
    return file.getvalue()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    show(rows(parser.parse_args().quick))
