"""Reading a test video's clips, next to the released way: ``python benchmarks/reading.py [DIR]``.

The released pipeline decodes every frame of a video, writes each as a JPEG file (quality 75), and
reads back those of its clips, resized to 112×112. Ours decodes up to the last frame that a clip
needs, and resizes each needed frame once. DIR holds videos; without it, 320×240 ones are made up.
Pixels are compared first, with the JPEG step left out.
"""

import argparse
import io
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from ratio import Ratio, compare, show

from bench.data.synthetic.moving_shapes import write_h264
from bench.data.video.clip_reader import test_indices
from bench.data.video.decode import (
    Pixels,
    VideoError,
    count_frames,
    read_frames,
    read_resized,
    resize,
)

SIDE, LENGTH, FRAMES = 112, 16, 180


def released(path: Path, wanted: Sequence[int], jpeg: bool = True) -> Pixels:
    """Decode all, encode each frame as JPEG, read the wanted ones back and resize them."""
    frames = read_frames(path)
    if not jpeg:
        return resize(frames[list(wanted)], (SIDE, SIDE))
    files = []
    for frame in frames:
        files.append(io.BytesIO())
        Image.fromarray(frame).save(files[-1], "JPEG", quality=75)
    chosen = np.stack([np.asarray(Image.open(files[i])) for i in wanted])
    return resize(chosen, (SIDE, SIDE))


def videos(folder: Path | None, made: Path, count: int) -> dict[Path, int]:
    """Return videos with their numbers of frames."""
    if folder is None:
        rng = np.random.default_rng(0)
        for number in range(count):
            coarse = rng.integers(0, 256, (FRAMES, 15, 20, 3), np.uint8)
            write_h264(made / f"{number}.mp4", coarse.repeat(16, 1).repeat(16, 2))
        folder = made
    found = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file())[:count]:
        try:
            found[path] = count_frames(path)
        except VideoError as error:
            print(f"left out: {error}")
    return found


def rows(quick: bool = False, folder: Path | None = None) -> Iterator[Ratio]:
    """Yield the ratios of 1 and of 25 clips, in seconds of processor time."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as made:
        found = videos(folder, Path(made), 2 if quick else 8)
        for n in (1, 25):
            clips = {path: test_indices(count, LENGTH, n) for path, count in found.items()}
            for path, wanted in clips.items():
                ours = read_resized(path, (SIDE, SIDE), wanted)
                assert np.array_equal(ours, released(path, wanted, jpeg=False)), path
            row = compare(
                f"reading a test video, {n} clip{'s' * (n > 1)} of {LENGTH}",
                lambda clips=clips: [released(p, w) for p, w in clips.items()],
                lambda clips=clips: [read_resized(p, (SIDE, SIDE), w) for p, w in clips.items()],
                3,
                time.process_time,
            )
            yield row


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    show(rows(options.quick, options.folder))
