"""Paired bootstrap between two rows on the same predictions: over classes, over videos, over both.

The trained models stand still here; what is drawn again is the test set. All differences are of
accuracies over videos, a − b, in points.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bench.evaluation.stats.distributions import t_quantile, z_below

Floats = NDArray[np.float64]


def over_classes(
    videos: Floats, gain: Floats, rng: np.random.Generator, resamples: int = 10_000
) -> Floats:
    """Draw the classes again: [resamples] differences.

    ``videos`` [C] of each class; ``gain`` [C]: right of a − right of b in it (means over seeds).
    """
    taken = rng.multinomial(len(videos), np.full(len(videos), 1 / len(videos)), size=resamples)
    found: Floats = 100 * (taken @ gain) / (taken @ videos)
    return found


def over_videos(
    gains: Sequence[Floats],
    rng: np.random.Generator,
    resamples: int = 10_000,
    classes_too: bool = False,
    tested: Sequence[int] = (),
) -> Floats:
    """Draw the videos of every class again, with ``classes_too`` first the classes: [resamples].

    ``gains``: of each class [n], for each video right of a − right of b (means over seeds). A class
    of n videos keeps its n. Deviations within a class are stretched by √(n/(n − 1)), as the
    variance of n resampled values is (n − 1)/n of the sample's; n = 1 has none. A class that is
    ``tested`` in several draws counts that often, its gains are sums over these draws.
    A video's gain takes few values, so that counts of values are drawn instead of videos.
    """
    n = np.array([len(gain) for gain in gains])
    size = n * np.array(tested or [1] * len(gains))
    sums = np.array([gain.sum() for gain in gains])
    if classes_too:
        times = rng.multinomial(len(gains), np.full(len(gains), 1 / len(gains)), size=resamples)
        sums = _shrunk(gains, sums, size)
    else:
        times = np.ones((resamples, len(gains)), np.int64)
    total = times @ sums
    for column, gain in enumerate(gains):
        if n[column] > 1:
            values, counts = np.unique(np.round(gain, 9), return_counts=True)
            often = times[:, column]
            drawn = rng.multinomial(often * n[column], counts / n[column]) @ values
            total += (drawn - often * gain.sum()) * math.sqrt(n[column] / (n[column] - 1))
    found: Floats = 100 * total / (times @ size)
    return found


def _shrunk(gains: Sequence[Floats], sums: Floats, size: NDArray[np.int64]) -> Floats:
    """Return the classes' sums nearer to the mean, so that two levels count no variance twice.

    Classes differ also by their choice of videos, which the second level draws again: what it adds
    is taken from the first (Davison & Hinkley 1997, section 3.8).
    """
    overall, classes = sums.sum() / size.sum(), len(gains)
    between = classes / (classes - 1) * float(np.square(sums - overall * size).sum())
    within = sum(len(gain) * float(np.var(gain, ddof=1)) for gain in gains if len(gain) > 1)
    kept = math.sqrt(max(0.0, 1 - within / between)) if between > 0 else 0.0
    found: Floats = overall * size + kept * (sums - overall * size)
    return found


def percentiles(resampled: Floats, units: int, level: float = 0.95) -> tuple[float, float]:
    """Return the percentile interval, widened for few ``units`` (those that were resampled).

    Hesterberg (2015): the tail is Φ(−√(n/(n − 1))·t) instead of α/2, since plain percentiles are
    those of a normal interval with the variance's n in place of n − 1.
    """
    tail = z_below(-math.sqrt(units / (units - 1)) * t_quantile(units - 1, level))
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return float(low), float(high)


def turned(resampled: Floats, difference: float) -> float:
    """Return the share of resamples in which the order of the two rows turns or is level."""
    return float((resampled * np.sign(difference) <= 0).mean())
