"""Spread and noise: mean and deviation of repeated runs, and whether a gap between rows is real.

A gap's interval answers "would the sign survive other seeds and other test classes?":

* one model tested on many classes (transfer): the classes are a sample, and so are the seeds.
  Variance = that of the class-paired difference + s_a²/n_a + s_b²/n_b over seeds; Student's t with
  the Welch–Satterthwaite degrees of freedom.
* one model per random draw of the classes (fifty-fifty): draws share classes, so their plain
  variance is too small; it is corrected as in Nadeau & Bengio (2003), var·(1/n + test/train).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

ClassCounts = Mapping[str, tuple[int, int]]  # class -> (videos, right)


@dataclass(frozen=True)
class Spread:
    """Mean of n values with the sample standard deviation (``None`` for n = 1)."""

    mean: float
    std: float | None
    n: int


@dataclass(frozen=True)
class Gap:
    """A difference of means with its 95 % interval (``None`` where n is too small for one)."""

    difference: float
    interval: tuple[float, float] | None

    @property
    def larger_than_noise(self) -> bool | None:
        """Whether the interval excludes zero; ``None`` without an interval."""
        return None if self.interval is None else not self.interval[0] <= 0 <= self.interval[1]


def spread(values: Sequence[float]) -> Spread:
    """Return mean, sample standard deviation (n − 1) and n of at least one value."""
    std = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Spread(float(np.mean(values)), std, len(values))


def t_quantile(df: float, level: float = 0.95) -> float:
    """Return t with P(|T| ≤ t) = ``level`` for Student's T with ``df`` ≥ 1 (fractions allowed).

    With T = √df·tan(θ), θ has a density ∝ cos(θ)^(df − 1), integrated here on a grid (error
    below 1e-4 for df up to 1000; more degrees of freedom count as 1000, 0.002 from the normal's).
    """
    df = min(df, 1000.0)
    angle = np.linspace(0.0, math.pi / 2, 20_001)
    density = np.cos(angle) ** (df - 1)
    mass = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
    return math.sqrt(df) * math.tan(float(np.interp(level * mass[-1], mass, angle)))


def _interval(difference: float, variance: float, df: float) -> tuple[float, float]:
    half = t_quantile(df) * math.sqrt(variance) if variance > 0 else 0.0
    return difference - half, difference + half


def transfer_gap(
    a: Sequence[float],
    b: Sequence[float],
    classes_a: Sequence[ClassCounts],
    classes_b: Sequence[ClassCounts],
    fixed: tuple[bool, bool] = (False, False),
) -> Gap:
    """Compare two rows on the same test classes.

    ``a``, ``b``: one accuracy in percent per seed; ``classes_*``: for each seed the videos of
    each class and how many are right. The class-paired variance is that of a ratio estimate,
    C/(C − 1)·Σ w_c²(d_c − d)², with w_c the share of videos and d = Σ w_c d_c the micro difference.
    No interval from fewer than two seeds or classes, or from different class sets; a ``fixed`` row
    is the same with every seed, so that one suffices and adds no variance.
    """
    difference = float(np.mean(a) - np.mean(b))
    names = sorted(set().union(*classes_a, *classes_b))
    same = all(set(counts) == set(names) for counts in (*classes_a, *classes_b))
    seeds = [
        len(values) for values, same_always in zip((a, b), fixed, strict=True) if not same_always
    ]
    if min([len(names), *seeds]) < 2 or not classes_a or not classes_b or not same:
        return Gap(difference, None)

    def totals(seeds: Sequence[ClassCounts]) -> tuple[np.ndarray, np.ndarray]:
        counts = np.array([[seed[name] for name in names] for seed in seeds], float).sum(axis=0)
        return counts[:, 0] / len(seeds), 100 * counts[:, 1] / np.maximum(counts[:, 0], 1)

    (videos_a, right_a), (videos_b, right_b) = totals(classes_a), totals(classes_b)
    weight = (videos_a + videos_b) / (videos_a + videos_b).sum()
    by_class = right_a - right_b
    centred = weight * (by_class - weight @ by_class)
    n = len(names)
    terms = [(n / (n - 1) * float(centred @ centred), n - 1)]
    for values, same_always in zip((a, b), fixed, strict=True):
        if not same_always:
            terms.append((float(np.var(values, ddof=1)) / len(values), len(values) - 1))
    variance = sum(term for term, _ in terms)
    square = sum(term**2 / df for term, df in terms)
    return Gap(difference, _interval(difference, variance, variance**2 / square if square else 1))


def draws_gap(a: Mapping[str, float], b: Mapping[str, float], test_over_train: float) -> Gap:
    """Compare two rows trained and tested on the same random draws of the classes.

    ``a``, ``b``: draw -> accuracy; only common draws count (without any: the means' difference).
    ``test_over_train`` is unseen/seen classes of a draw (Nadeau & Bengio 2003, the corrected
    resampled t). No interval from fewer than two draws.
    """
    paired = np.array([a[draw] - b[draw] for draw in sorted(a.keys() & b.keys())])
    if not len(paired):
        return Gap(float(np.mean(list(a.values())) - np.mean(list(b.values()))), None)
    if len(paired) < 2:
        return Gap(float(paired[0]), None)
    variance = float(np.var(paired, ddof=1)) * (1 / len(paired) + test_over_train)
    difference = float(paired.mean())
    return Gap(difference, _interval(difference, variance, len(paired) - 1))
