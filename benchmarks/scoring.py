"""Scoring 13,320 videos against 101 classes, next to the released way: a distance matrix a split.

``python benchmarks/scoring.py`` prints the ratios, with --curve how time and memory grow up to
650,000 videos against 700 classes.
"""

import argparse
import statistics
import time
import tracemalloc
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from ratio import Ratio, compare, show
from scipy.spatial.distance import cdist
from tabulate import tabulate

from bench.evaluation.metrics import Cosines, accuracies, ranks

VIDEOS, CLASSES, DIM = 13_320, 101, 2048
Arrays = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]


def made_up(videos: int, classes: int, dim: int) -> Arrays:
    """Return embeddings of videos and classes, and labels, so that about half are right."""
    rng = np.random.default_rng(0)
    of_class = rng.normal(size=(classes, dim)).astype(np.float32)
    labels = rng.integers(classes, size=videos)
    noise = rng.normal(size=(videos, dim)).astype(np.float32)
    return of_class[labels] + 14 * noise, of_class, labels


def splits_of(classes: int, halves: int) -> list[list[int]]:
    """Return all classes, then so many random halves of them."""
    rng = np.random.default_rng(1)
    half = [sorted(rng.permutation(classes)[: classes // 2].tolist()) for _ in range(halves)]
    return [list(range(classes)), *half]


def released(
    arrays: Arrays, splits: Sequence[Sequence[int]], known: bool
) -> list[tuple[float, float]]:
    """Return top-1 and top-5 of each split as the released code finds them.

    It finds the labels, too, by the distances of each video's own class embedding; ``known``: as if
    it knew them.
    """
    video, of_class, labels = arrays
    found = []
    for columns in splits:
        rows = np.isin(labels, columns)
        chosen = np.asarray(columns)
        distance = cdist(video[rows], of_class[chosen], "cosine")
        nearest = chosen[np.argsort(distance, axis=1)[:, :5]]
        own = labels[rows]
        if not known:
            own = chosen[cdist(of_class[own], of_class[chosen], "cosine").argmin(1)]
        right = nearest == own[:, None]
        found.append((100 * float(right[:, 0].mean()), 100 * float(right.any(1).mean())))
    return found


def ours(arrays: Arrays, splits: Sequence[Sequence[int]]) -> list[tuple[float, float]]:
    """Return the same from one pass over the similarities."""
    video, of_class, labels = arrays
    table = ranks(Cosines(video, of_class), labels, splits)
    values = [
        accuracies(rank, labels, columns)[0] for rank, columns in zip(table.T, splits, strict=True)
    ]
    return [(one["top1"], one["top5"]) for one in values]


def rows(quick: bool = False) -> Iterator[Ratio]:
    """Yield the ratios; the accuracies are compared first."""
    arrays = made_up(VIDEOS // 10 if quick else VIDEOS, CLASSES, DIM)
    for halves in (10, 50):
        splits = splits_of(CLASSES, halves)
        work = f"scoring {len(arrays[2]):,} × {DIM}, {CLASSES} classes, full + {halves} halves"
        for known in (False, True):
            assert np.allclose(released(arrays, splits, known), ours(arrays, splits), atol=1e-9)
            yield compare(
                work + ", labels known" * known,
                lambda splits=splits, known=known: released(arrays, splits, known),
                lambda splits=splits: ours(arrays, splits),
                3,
                time.process_time,
            )


def curve(quick: bool = False) -> None:
    """Print seconds of processor time and memory beside the input, up to 650,000 videos."""
    cells = []
    for videos in (4_062, 8_125) if quick else (40_625, 81_250, 162_500, 325_000, 650_000):
        arrays = made_up(videos, 700, 256)
        seconds, most = [], 0
        for _ in range(3 if quick else 5):
            tracemalloc.start()  # numpy tells it of its arrays; the peak of a process never falls
            start = time.process_time()
            ours(arrays, [list(range(700))])
            seconds.append(time.process_time() - start)
            most = max(most, tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        middle = statistics.median(seconds)
        spread = f"{min(seconds):.2f}–{max(seconds):.2f}"
        a_thousand, memory = f"{1e6 * middle / videos:.1f}", f"{most / 2**20:,.0f}"
        cells.append((f"{videos:,}", f"{middle:.2f}", spread, a_thousand, memory))
    head = ["videos", "s", "spread", "ms a 1,000 videos", "MiB beside the input"]
    print(tabulate(cells, head, "pipe", disable_numparse=True))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--curve", action="store_true")
    options = parser.parse_args()
    curve(options.quick) if options.curve else show(rows(options.quick))
