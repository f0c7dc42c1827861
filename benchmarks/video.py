"""How fast videos become clips, next to other readers: ``python benchmarks/video.py DIR``.

One thread, one process. Every reader gets the same work: to decode and count all frames of each
video under DIR (indexing), and the frames of 1 and of 25 test clips of 16 frames as uint8
[n*16,112,112,3]. Prints videos or clips per second of wall time and per second of CPU time (the
better of the rounds), which other programs on the machine disturb less. OpenCV and decord run where
they can be imported, ffmpeg where it is on PATH; their pixels need not be ours (OpenCV and ffmpeg
resize otherwise, decord rounds MPEG-4 otherwise).
"""

import argparse
import importlib.util
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from bench.data.video.clip_reader import test_indices
from bench.data.video.decode import Pixels, VideoError, count_frames, read_resized, resize

SIDE, LENGTH = 112, 16
T = TypeVar("T")
Reader = Callable[[Path, list[int]], Pixels]


def ours(path: Path, wanted: list[int]) -> Pixels:
    """Read as training and tests do."""
    return read_resized(path, (SIDE, SIDE), wanted, backend="pyav")


def decord(path: Path, wanted: list[int]) -> Pixels:
    """Read with decord in the only way that is exact, from the first frame, and resize as we do."""
    import decord

    reader = decord.VideoReader(str(path), num_threads=1)
    return resize(reader.get_batch(range(max(wanted) + 1)).asnumpy(), (SIDE, SIDE))[wanted]


def opencv(path: Path, wanted: list[int]) -> Pixels:
    """Read with OpenCV, resized frame by frame."""
    import cv2

    cv2.setNumThreads(1)
    options = [cv2.CAP_PROP_N_THREADS, 1]
    video, frames = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, options), []
    for _ in range(max(wanted) + 1):
        small = cv2.resize(video.read()[1], (SIDE, SIDE))
        frames.append(cv2.cvtColor(small, cv2.COLOR_BGR2RGB))
    return np.stack(frames)[wanted]


def ffmpeg(path: Path, wanted: list[int]) -> Pixels:
    """Read through a pipe from the program ffmpeg, which resizes."""
    call = ["ffmpeg", "-v", "quiet", "-nostdin", "-threads", "1", "-filter_threads", "1"]
    call += ["-i", f"file:{path}", "-map", "0:v:0", "-fps_mode", "passthrough"]
    call += ["-frames:v", str(max(wanted) + 1), "-vf", f"scale={SIDE}:{SIDE}:flags=bilinear"]
    call += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    output = subprocess.run(call, stdout=subprocess.PIPE, check=True).stdout
    return np.frombuffer(output, np.uint8).reshape(-1, SIDE, SIDE, 3)[wanted]


def opencv_count(path: Path) -> int:
    """Decode all with OpenCV."""
    import cv2

    video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    return sum(1 for _ in iter(video.grab, False))


def ffmpeg_count(path: Path) -> int:
    """Decode all with the program ffmpeg."""
    call = ["ffmpeg", "-v", "quiet", "-nostdin", "-threads", "1", "-i", f"file:{path}"]
    call += ["-map", "0:v:0", "-fps_mode", "passthrough", "-f", "null", "-"]
    return subprocess.run(call, check=True).returncode


def counters() -> dict[str, Callable[[Path], int]]:
    """Return those that this machine has; decord cannot count without believing the header."""
    found: dict[str, Callable[[Path], int]] = {"bench": count_frames}
    found |= {"cv2": opencv_count} if importlib.util.find_spec("cv2") else {}
    return found | ({"ffmpeg": ffmpeg_count} if shutil.which("ffmpeg") else {})


def readers() -> dict[str, Reader]:
    """Return those that this machine has."""
    found: dict[str, Reader] = {"bench": ours}
    for name, reader in (("decord", decord), ("cv2", opencv)):
        if importlib.util.find_spec(name):
            found[name] = reader
    return found | ({"ffmpeg": ffmpeg} if shutil.which("ffmpeg") else {})


def cpu_seconds() -> float:
    """Return the CPU time of this process and of the programs that it ran."""
    return sum(os.times()[:4])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    counts = {}
    for path in sorted(p for p in options.folder.rglob("*") if p.is_file()):
        try:
            counts[path] = count_frames(path)
        except VideoError as error:
            print(f"left out: {error}")
    if not counts:
        raise SystemExit(f"error: no video under {options.folder}")
    print(f"{len(counts)} videos, {sum(counts.values())} frames")
    print(f"{'work':>8} {'reader':8} {'a second':>8} {'a CPU second':>12} {'bench is':>9}")
    index = {name: lambda path, c=count: c(path) for name, count in counters().items()}
    compare("index", index, counts, 1, options.rounds)
    for n in (1, 25):
        calls = {
            name: lambda path, r=read, n=n: r(path, test_indices(counts[path], LENGTH, n))
            for name, read in readers().items()
        }
        compare(f"{n} clips", calls, counts, n, options.rounds)


def compare(
    work: str,
    calls: Mapping[str, Callable[[Path], object]],
    paths: Iterable[Path],
    n: int,
    rounds: int,
) -> None:
    """Print the best of the rounds of each reader: videos (index) or clips a second."""
    every = list(paths)
    best = {name: [np.inf, np.inf] for name in calls}
    for _ in range(rounds):
        for name, call in list(calls.items()):
            wall, cpu = time.perf_counter(), cpu_seconds()
            try:
                for path in every:
                    call(path)
            except Exception as error:  # a reader that cannot read all of them is out of the race
                print(f"{work:>8} {name:8} left out: {str(error).splitlines()[0]}")
                calls, best = without(calls, name), without(best, name)
                continue
            spent = time.perf_counter() - wall, cpu_seconds() - cpu
            best[name] = [min(pair) for pair in zip(best[name], spent, strict=True)]
    for name, (wall, cpu) in best.items():
        done, ratio = n * len(every), cpu / best["bench"][1]
        print(f"{work:>8} {name:8} {done / wall:8.0f} {done / cpu:12.0f} {ratio:8.2f}x")


def without(found: Mapping[str, T], name: str) -> dict[str, T]:
    """Return all entries but one."""
    return {other: value for other, value in found.items() if other != name}


if __name__ == "__main__":
    main()
