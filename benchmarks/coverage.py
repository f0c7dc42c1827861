"""How often the intervals of bench/evaluation/stats hold the truth, on made-up results.

python benchmarks/coverage.py            # every line of docs/statistics.md; minutes
python benchmarks/coverage.py t          # the lines that begin so
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.evaluation.statistics import (
    Gap,
    draws_gap,
    holm,
    over_classes,
    over_videos,
    paired_t,
    percentiles,
    seeds_needed,
    splits_gap,
    t_quantile,
    transfer_gap,
)

Floats = NDArray[np.float64]
TRUTH = 5.0  # points between the two rows
RESAMPLES = 2000


@dataclass(frozen=True)
class World:
    """Made-up rows. Deviations in points: of the gap between classes, of a row between seeds, and
    of a row's class from seed to seed; ``sizes`` are the fewest and the most videos of a class.
    """

    classes: int = 20
    seeds: int = 3
    sizes: tuple[int, int] = (20, 20)
    by_class: float = 10.0
    by_seed: float = 3.0
    by_both: float = 5.0

    def row(self, rng: np.random.Generator, chances: Floats, videos: Floats) -> Floats:
        """Return videos right [seeds, C] of a row with these chances [C] in percent."""
        noise = rng.normal(0, self.by_seed, (self.seeds, 1))
        noise = noise + rng.normal(0, self.by_both, (self.seeds, self.classes))
        chance = np.clip((chances + noise) / 100, 0, 1)
        return rng.binomial(videos.astype(int), chance).astype(float)

    def pair(self, rng: np.random.Generator) -> tuple[Floats, Floats, Floats, Floats]:
        """Return videos [C], right of a and of b [seeds, C], and the true gaps [C] in points."""
        videos = rng.integers(self.sizes[0], self.sizes[1] + 1, self.classes).astype(float)
        gaps = rng.normal(TRUTH, self.by_class, self.classes)
        level = rng.normal(55, 10, self.classes)
        a, b = (self.row(rng, level + sign * gaps / 2, videos) for sign in (1, -1))
        return videos, a, b, gaps


def counts(videos: Floats, right: Floats) -> list[Mapping[str, tuple[int, int]]]:
    """Return what records hold: for each seed, class -> (videos, right)."""
    return [
        {str(c): (int(n), int(k)) for c, (n, k) in enumerate(zip(videos, seed, strict=True))}
        for seed in right
    ]


def transfer(videos: Floats, a: Floats, b: Floats) -> Gap:
    """Return the tables' interval between two rows on the same classes."""
    means = [list(100 * row.sum(axis=1) / videos.sum()) for row in (a, b)]
    return transfer_gap(means[0], means[1], counts(videos, a), counts(videos, b))


def t_classes(world: World, rng: np.random.Generator) -> bool:
    """Other classes, seeds and videos: is the mean gap of all possible classes inside?"""
    videos, a, b, _ = world.pair(rng)
    return _inside(transfer(videos, a, b).interval, TRUTH)


def t_splits(world: World, rng: np.random.Generator) -> bool:
    """The same, from ten halves of the classes (half10)."""
    videos, a, b, _ = world.pair(rng)
    halves = [rng.permutation(world.classes)[: world.classes // 2] for _ in range(10)]
    rows = [
        [{str(i): float(100 * (seed / videos)[half].mean()) for i, half in enumerate(halves)}
         for seed in row]
        for row in (a, b)
    ]  # fmt: skip
    gap = splits_gap(rows[0], rows[1], (world.classes // 2, world.classes))
    return _inside(gap.interval, TRUTH)


def t_draws(draws: int, noise: float) -> Callable[[World, np.random.Generator], bool]:
    """One training a draw of half the classes, with ``noise`` points of its own (fifty-fifty)."""

    def holds(world: World, rng: np.random.Generator) -> bool:
        gaps = rng.normal(TRUTH, world.by_class, world.classes)
        unseen = world.classes // 2
        a = {
            str(d): float(gaps[rng.permutation(world.classes)[:unseen]].mean() + extra)
            for d, extra in enumerate(rng.normal(0, noise, draws))
        }
        gap = draws_gap(a, dict.fromkeys(a, 0.0), world.classes - unseen, unseen)
        return _inside(gap.interval, TRUTH)

    return holds


def t_moved(cells: int, move: float) -> Callable[[np.random.Generator], bool]:
    """Two trainings of the same cells on 400 videos, each of which moves by ``move`` by chance."""

    def holds(rng: np.random.Generator) -> bool:
        level = rng.normal(55, 10, cells)
        here, there = (np.round(4 * (level + rng.normal(0, move / 2**0.5, cells))) for _ in "ab")
        p = paired_t([float(gap) for gap in (there - here) / 4])[1]
        return p is None or p > 0.05

    return holds


def boot_classes(world: World, rng: np.random.Generator) -> bool:
    """Other classes and videos with these models."""
    videos, a, b, _ = world.pair(rng)
    gain = a.mean(axis=0) - b.mean(axis=0)
    return _inside(percentiles(over_classes(videos, gain, rng, RESAMPLES), world.classes), TRUTH)


def boot_videos(world: World, rng: np.random.Generator) -> bool:
    """Other videos of these classes with these models: the truth is that of these classes."""
    videos, gains, gaps = _by_video(world, rng)
    interval = percentiles(over_videos(gains, rng, RESAMPLES), int(videos.sum()))
    return _inside(interval, float(gaps @ videos / videos.sum()))


def boot_both(world: World, rng: np.random.Generator) -> bool:
    """Other classes, and other videos in them, with these models."""
    _, gains, _ = _by_video(world, rng)
    resampled = over_videos(gains, rng, RESAMPLES, classes_too=True)
    return _inside(percentiles(resampled, world.classes), TRUTH)


def _by_video(world: World, rng: np.random.Generator) -> tuple[Floats, list[Floats], Floats]:
    """Return videos [C], each video's gain, and the true gaps [C] of these models."""
    videos, _, _, gaps = world.pair(rng)
    gains = []
    for n, gap in zip(videos.astype(int), gaps, strict=True):
        hard = rng.normal(0, 15, n)  # a video that is hard for one row is hard for the other
        rows = [np.clip((55 + hard + sign * gap / 2) / 100, 0, 1) for sign in (1, -1)]
        rights = [(rng.random((world.seeds, n)) < row).mean(axis=0) for row in rows]
        gains.append(rights[0] - rights[1])
    return videos, gains, gaps


def _inside(interval: tuple[float, float] | None, truth: float) -> bool:
    assert interval is not None
    return interval[0] <= truth <= interval[1]


def marks(rows: int, best: int, world: World, rng: np.random.Generator) -> tuple[bool, bool]:
    """Return whether a truly best row keeps its mark, and whether all ``best`` equal ones do.

    The other rows are 20 points worse. As in a table: against the highest, p after Holm.
    """
    videos = np.full(world.classes, float(world.sizes[0]))
    level = rng.normal(60, 10, world.classes)
    behind = [0.0] * best + [20.0] * (rows - best)
    right = [
        world.row(rng, level - less + rng.normal(0, world.by_class, world.classes), videos)
        for less in behind
    ]
    winner = max(range(rows), key=lambda i: right[i].sum())
    others = [i for i in range(rows) if i != winner]
    p = [transfer(videos, right[i], right[winner]).p or 0.0 for i in others]
    lost = {i for i, one in zip(others, holm(p), strict=True) if one <= 0.05}
    return 0 not in lost, not lost & set(range(best))


def power(deviation: float, rng: np.random.Generator) -> bool:
    """Return whether a t test with ``seeds_needed`` sees a gap of 1 point between seeds."""
    n = seeds_needed(deviation**2, deviation**2)
    a, b = rng.normal(1, deviation, n), rng.normal(0, deviation, n)
    error = np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / n)
    return bool(abs(a.mean() - b.mean()) > t_quantile(2 * n - 2) * error)


Line = tuple[str, str, Callable[[np.random.Generator], bool]]


def lines() -> Iterator[Line]:
    """Yield (what, of which results, one repetition: does it hold?)."""

    def of(world: World, what: Callable[[World, np.random.Generator], bool]) -> Callable[..., bool]:
        return lambda rng: what(world, rng)

    for classes, seeds in ((5, 3), (10, 3), (20, 3), (20, 2), (20, 10), (51, 3), (101, 3)):
        world = World(classes, seeds)
        yield "t, classes and seeds", f"{classes} classes, {seeds} seeds", of(world, t_classes)
    for words, world in (
        ("no seed has chance", World(by_seed=0, by_both=0)),
        ("no class differs", World(by_class=0, by_both=0, sizes=(100, 100))),
        ("strong seeds × classes", World(by_class=20, by_seed=1, by_both=20)),
        ("5 to 60 videos a class", World(sizes=(5, 60))),
    ):
        yield "t, classes and seeds", f"20 classes, 3 seeds, {words}", of(world, t_classes)
    for classes in (10, 20, 50):
        yield "t, ten halves", f"{classes} classes, 3 seeds", of(World(classes), t_splits)
    for classes, draws, noise in (
        (15, 50, 0),
        (15, 50, 3),
        (20, 10, 0),
        (101, 50, 0),
        (101, 50, 3),
    ):
        what = f"{classes} classes, {draws} draws, {noise} points of training noise"
        yield "t, draws", what, of(World(classes), t_draws(draws, noise))
    for cells, move in ((2, 6.0), (3, 6.0), (3, 0.3), (10, 1.0), (50, 0.2)):
        what = f"{cells} cells that move by {move} points each"
        yield "t, trained elsewhere: no move is seen", what, t_moved(cells, move)
    for classes in (5, 10, 20, 51, 101):
        world = World(classes, by_seed=0, by_both=0)
        yield "bootstrap, classes", f"{classes} classes", of(world, boot_classes)
    yield "bootstrap, classes", "20 classes, and other seeds", of(World(), boot_classes)
    for size in (2, 5, 20, 100):
        world = World(sizes=(size, size))
        yield "bootstrap, videos", f"20 classes of {size} videos", of(world, boot_videos)
    for classes, size in ((5, 20), (10, 20), (20, 5), (20, 20), (51, 20), (101, 20)):
        world = World(classes, sizes=(size, size))
        yield "bootstrap, both", f"{classes} classes of {size} videos", of(world, boot_both)
    for rows, best in ((5, 1), (5, 5), (20, 5), (20, 20)):
        for at, words in enumerate(("a best row keeps its mark", "all best rows do")):
            yield (
                f"stars: {words}",
                f"{rows} rows, {best} of them best, 20 classes, 3 seeds",
                lambda rng, rows=rows, best=best, at=at: marks(rows, best, World(), rng)[at],
            )
    for deviation in (0.3, 1.0, 2.0):
        n = seeds_needed(deviation**2, deviation**2)
        what = f"deviation {deviation} over seeds, {n} seeds a row"
        yield "power for 1 point", what, lambda rng, s=deviation: power(s, rng)


def share(what: Callable[[np.random.Generator], bool], repeats: int, seed: int = 0) -> float:
    """Return in how many percent of the repetitions it holds."""
    rng = np.random.default_rng(seed)
    return 100 * sum(what(rng) for _ in range(repeats)) / repeats


def main() -> None:
    """Print one line for each kind of interval and of results."""
    wanted = " ".join(sys.argv[1:])
    print("| what | results | repetitions | holds |\n|---|---|---|---|")
    for what, results, holds in lines():
        if what.startswith(wanted):
            repeats = 1000 if what.startswith(("bootstrap", "stars")) else 4000
            found = share(holds, repeats)
            print(f"| {what} | {results} | {repeats} | {found:.1f} % |", flush=True)


if __name__ == "__main__":
    main()
