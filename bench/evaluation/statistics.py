"""Statistics of repeated runs: spread, tests and intervals; docs/statistics.md has the reasons."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

ROUNDING = 1e-9
"""Differences below this, in points, are rounding errors."""


@dataclass(frozen=True)
class Spread:
    """Mean of n values with the sample standard deviation (``None`` for n = 1)."""

    mean: float
    std: float | None
    n: int


def spread(values: Sequence[float]) -> Spread:
    """Return mean, sample standard deviation (n − 1) and n of at least one value."""
    std = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Spread(float(np.mean(values)), std, len(values))


def pooled(groups: Sequence[Sequence[float]]) -> Spread | None:
    """Return the deviation within groups, √(mean of their variances), n = size of the largest.

    The mean is the mean of the groups' means. ``None`` if no group has two values.
    """
    several = [group for group in groups if len(group) > 1]
    if not several:
        return None
    variance = float(np.mean([np.var(group, ddof=1) for group in several]))
    mean = float(np.mean([np.mean(group) for group in groups]))
    return Spread(mean, variance**0.5, max(map(len, several)))


# scipy is imported in the functions: tables without intervals are built without it.


def t_tail(t: float, df: float) -> float:
    """Return P(|T| ≥ |t|) of Student's T with ``df`` > 0 degrees of freedom, also fractions."""
    from scipy.special import stdtr

    return 2 * float(stdtr(df, -abs(t)))


def t_quantile(df: float, level: float = 0.95) -> float:
    """Return t with P(|T| ≤ t) = ``level`` of Student's T with ``df`` > 0 degrees of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(df, (1 + level) / 2))


def z_quantile(level: float) -> float:
    """Return z with P(|Z| ≤ z) = ``level`` of a standard normal Z."""
    return NormalDist().inv_cdf((1 + level) / 2)


def chi2_quantile(p: float, df: float) -> float:
    """Return x with P(χ² ≤ x) = ``p`` of χ² with ``df`` > 0 degrees of freedom."""
    from scipy.special import gammaincinv

    return 2 * float(gammaincinv(df / 2, p))


@dataclass(frozen=True)
class McNemar:
    """Videos that only one of two models gets right, and the exact two-sided p value."""

    only_a: int
    only_b: int
    p: float


def mcnemar(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> McNemar:
    """Compare two models on the same videos, right or wrong [N] (McNemar 1947, exact binomial).

    The null hypothesis is that a video which only one model gets right is equally likely to be
    either one's; videos are taken as independent.
    """
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    n = only_a + only_b
    total = sum(math.comb(n, i) for i in range(min(only_a, only_b) + 1))
    return McNemar(only_a, only_b, min(1.0, 2 * total / 2**n))


def paired_t(gaps: Sequence[float]) -> tuple[tuple[float, float] | None, float | None]:
    """Return the 95 % interval of the mean paired difference, and the p value of no difference.

    If all differences are equal, there is no interval and p is that of a sign test. Both are None
    for n = 1 or if nothing differs.
    """
    n, mean = len(gaps), float(np.mean(gaps))
    if n < 2 or max(map(abs, gaps)) <= ROUNDING:
        return None, None
    error = float(np.std(gaps, ddof=1)) / math.sqrt(n)
    if error <= ROUNDING:
        return None, 2 * 0.5**n
    half = t_quantile(n - 1) * error
    return (mean - half, mean + half), t_tail(mean / error, n - 1)


def holm(p: Sequence[float]) -> list[float]:
    """Return the adjusted p values of one family (Holm 1979), in the order given.

    Calling all at or below α different is wrong about any of them with a chance of at most α.
    """
    adjusted, highest = [0.0] * len(p), 0.0
    for rank, i in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        highest = max(highest, min(1.0, (len(p) - rank) * p[i]))
        adjusted[i] = highest
    return adjusted


def seeds_needed(
    variance_a: float, variance_b: float, gap: float = 1.0, power: float = 0.8, level: float = 0.95
) -> int:
    """Return the seeds that each of two rows needs to detect a true ``gap`` with ``power``.

    Two-sample t test at ``level``, variances between seeds as given: the smallest n ≥ 2 with
    n ≥ (s_a² + s_b²)(t_level + t_power)²/gap², t at the Welch degrees of freedom of that n.
    """
    total = variance_a + variance_b

    def wanted(high: float, low: float) -> float:
        return total * (high + low) ** 2 / gap**2

    both = 2 * power - 1  # the two-sided level whose upper quantile has this power below it
    n = max(2, math.ceil(wanted(z_quantile(level), z_quantile(both))))
    if total > 0:
        share = total**2 / (variance_a**2 + variance_b**2)
        while n < wanted(*(t_quantile((n - 1) * share, one) for one in (level, both))):
            n += 1
    return n


def effective_df(parts: Sequence[tuple[float, int]]) -> float:
    """Return the degrees of freedom of a sum of variances (variance, df) after Satterthwaite.

    Without any variance, return the sum over all parts.
    """
    total = sum(variance for variance, _ in parts)
    if total <= 0:
        return float(sum(df for _, df in parts))
    return total**2 / sum(variance**2 / df for variance, df in parts)


def variance_factors(df: float, level: float = 0.95) -> tuple[float, float]:
    """Return the factors from a measured variance to the ends of its χ² interval."""
    tail = (1 - level) / 2
    return df / chi2_quantile(1 - tail, df), df / chi2_quantile(tail, df)


ClassCounts = Mapping[str, tuple[int, int]]  # class -> (videos, right)


@dataclass(frozen=True)
class Gap:
    """A difference of means; 95 % interval and p value are ``None`` if n is too small."""

    difference: float
    interval: tuple[float, float] | None
    p: float | None = None  # of a single comparison
    variances: dict[str, float] = field(default_factory=dict)  # source -> part of the variance
    floor: float | None = None  # estimated half width that more seeds cannot remove


def _gap(
    difference: float, parts: Mapping[str, tuple[float, float, float]], together: float | None = 0.0
) -> Gap:
    """Make an interval from parts: source -> (variance, raw estimate, degrees of freedom).

    The first part belongs to the classes; ``together`` is the share of it that more seeds would
    remove (``None``: not known, no floor).
    """
    variances = {source: variance for source, (variance, _, _) in parts.items()}
    variance = sum(variances.values())
    first, _, first_df = next(iter(parts.values()))
    left = None if together is None else max(first - together, 0.0)
    floor = None if left is None else t_quantile(first_df) * math.sqrt(left)
    if variance <= ROUNDING**2:
        level = abs(difference) < ROUNDING
        return Gap(difference, (difference, difference), float(level), variances, floor)
    kept = [(raw, df) for part, raw, df in parts.values() if part > 0]
    # After a large subtraction the formula may fall below the df of every part.
    df = max(variance**2 / sum(raw**2 / df for raw, df in kept), min(df for _, df in kept))
    half = t_quantile(df) * math.sqrt(variance)
    p = t_tail(difference / math.sqrt(variance), df)
    return Gap(difference, (difference - half, difference + half), p, variances, floor)


def transfer_gap(
    a: Sequence[float],
    b: Sequence[float],
    classes_a: Sequence[ClassCounts],
    classes_b: Sequence[ClassCounts],
    fixed: tuple[bool, bool] = (False, False),
) -> Gap:
    """Compare two rows on the same test classes.

    ``a``, ``b``: one accuracy in percent per seed; ``classes_*``: for each seed the videos of
    each class and how many are right. Two sources of variance (a two-way layout, seeds × classes):
    classes, as a ratio estimate C/(C − 1)·Σ w_c²(d_c − d)², with w_c the share of videos and
    d = Σ w_c d_c; the seeds of each row, s²/n minus the interaction of seeds and classes, which
    is part of the first term. No interval from fewer than two seeds or classes, or from different
    class sets; a ``fixed`` row is the same with every seed: one is enough and adds no variance.
    """
    difference = float(np.mean(a) - np.mean(b))
    tested = [{c for c, (n, _) in counts.items() if n} for counts in (*classes_a, *classes_b)]
    names = sorted(set[str]().union(*tested))
    same = all(one == set(names) for one in tested)
    rows = ((a, classes_a, fixed[0]), (b, classes_b, fixed[1]))
    seeds = [min(len(v), len(counts)) for v, counts, same_always in rows if not same_always]
    if min([len(names), *seeds]) < 2 or not classes_a or not classes_b or not same:
        return Gap(difference, None)
    (videos_a, rates_a), (videos_b, rates_b) = (
        _rates(one, names) for one in (classes_a, classes_b)
    )
    weight = (videos_a + videos_b) / (videos_a + videos_b).sum()
    by_class = rates_a.mean(axis=0) - rates_b.mean(axis=0)
    n = len(names)
    ratio = n / (n - 1) * float(np.square(weight * (by_class - weight @ by_class)).sum())
    parts = {"classes": (ratio, ratio, n - 1.0)}
    together = 0.0
    for name, rates, (values, _, same_always) in zip("ab", (rates_a, rates_b), rows, strict=True):
        if not same_always:
            raw = float(np.var(values, ddof=1)) / len(values)
            both = _together(rates, weight)
            together += both
            # At most the raw variance's df: a difference of variances is no better known.
            parts[f"seeds of {name}"] = (max(raw - both, 0.0), raw, len(values) - 1.0)
    return _gap(difference, parts, together)


def _rates(
    seeds: Sequence[ClassCounts], names: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the videos [C] of the classes and the percent right [seeds, C]."""
    counts = np.array([[seed[name] for name in names] for seed in seeds], float)
    return counts[:, :, 0].mean(axis=0), 100 * counts[:, :, 1] / counts[:, :, 0]


def _together(rates: NDArray[np.float64], weight: NDArray[np.float64]) -> float:
    """Return the variance of a row's mean from the interaction of seeds and classes."""
    seeds, n = rates.shape
    rest = rates - rates.mean(axis=0)
    rest = rest - (rest @ weight)[:, None]
    squares = float(np.square(rest * weight).sum())
    return float(squares / (seeds - 1) / seeds * n / (n - 1))


def splits_gap(
    a: Sequence[Mapping[str, float]],
    b: Sequence[Mapping[str, float]],
    classes: tuple[int, int],
    fixed: tuple[bool, bool] = (False, False),
) -> Gap:
    """Compare two rows whose models are each tested on the same random class splits.

    ``a``, ``b``: for each seed, split -> accuracy; ``classes``: in a split, and in all of them. J
    splits of m among K classes scatter by s² about the mean over the K classes, itself a sample of
    other classes: its variance is s²·m/(K − m), so that s²(1/J + m/(K − m)) is that of their mean.
    Seeds as in ``transfer_gap``, minus the interaction of seeds and splits. No interval from fewer
    than two splits or seeds.
    """
    means = [np.array([np.mean(list(seed.values())) for seed in row]) for row in (a, b)]
    difference = float(means[0].mean() - means[1].mean())
    names = sorted(set[str]().union(*a, *b))
    same = all(set(seed) == set(names) for seed in (*a, *b))
    inside, among = classes
    seeds = [len(row) for row, same_always in zip((a, b), fixed, strict=True) if not same_always]
    if min([len(names), *seeds]) < 2 or inside >= among or not same:
        return Gap(difference, None)
    by_split = [np.array([[seed[name] for name in names] for seed in row]) for row in (a, b)]
    factor = 1 / len(names) + inside / (among - inside)
    shared = factor * float(np.var(by_split[0].mean(axis=0) - by_split[1].mean(axis=0), ddof=1))
    parts = {"classes": (shared, shared, min(len(names), among) - 1.0)}
    together = 0.0
    for name, values, same_always in zip("ab", by_split, fixed, strict=True):
        if not same_always:
            n = len(values)
            raw = float(np.var(values.mean(axis=1), ddof=1)) / n
            rest = values - values.mean(axis=0) - (values.mean(axis=1) - values.mean())[:, None]
            both = factor * float(np.square(rest).sum()) / (n - 1) / (len(names) - 1) / n
            together += both
            parts[f"seeds of {name}"] = (max(raw - both, 0.0), raw, n - 1.0)
    return _gap(difference, parts, together)


def draws_gap(
    a: Mapping[str, float], b: Mapping[str, float], seen: int = 1, unseen: int = 1
) -> Gap:
    """Compare two rows trained and tested on the same random draws of the classes.

    ``a``, ``b``: draw -> accuracy; only common draws count (without any: the means' difference).
    Draws share classes, so their variance is corrected, s²(1/n + unseen/seen), with the classes of
    a draw (Nadeau & Bengio 2003); its degrees of freedom are limited by the number of classes
    (unknown for 1 + 1).
    No interval from fewer than two draws.
    """
    paired = np.array([a[draw] - b[draw] for draw in sorted(a.keys() & b.keys())])
    if not len(paired):
        return Gap(float(np.mean(list(a.values())) - np.mean(list(b.values()))), None)
    if len(paired) < 2:
        return Gap(float(paired[0]), None)
    variance = float(np.var(paired, ddof=1)) * (1 / len(paired) + unseen / max(seen, 1))
    units = min(len(paired), seen + unseen) if seen + unseen > 2 else len(paired)
    return _gap(float(paired.mean()), {"draws": (variance, variance, units - 1.0)}, None)


Floats = NDArray[np.float64]


def over_classes(
    videos: Floats, gain: Floats, rng: np.random.Generator, resamples: int = 10_000
) -> Floats:
    """Resample the classes: [resamples] differences.

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
    """Resample the videos of every class, with ``classes_too`` first the classes: [resamples].

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
    """Shrink the classes' sums to the mean, so that two levels do not count a variance twice.

    Classes also differ by the choice of their videos, which the second level resamples: its
    variance is taken off the first (Davison & Hinkley 1997, section 3.8).
    """
    overall, classes = sums.sum() / size.sum(), len(gains)
    between = classes / (classes - 1) * float(np.square(sums - overall * size).sum())
    within = sum(len(gain) * float(np.var(gain, ddof=1)) for gain in gains if len(gain) > 1)
    kept = math.sqrt(max(0.0, 1 - within / between)) if between > 0 else 0.0
    found: Floats = overall * size + kept * (sums - overall * size)
    return found


def percentiles(resampled: Floats, units: int, level: float = 0.95) -> tuple[float, float]:
    """Return the percentile interval, widened for few resampled ``units``.

    Hesterberg (2015): the tail is Φ(−√(n/(n − 1))·t) instead of α/2, since plain percentiles
    use n instead of n − 1 in the variance.
    """
    tail = NormalDist().cdf(-math.sqrt(units / (units - 1)) * t_quantile(units - 1, level))
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return float(low), float(high)


def turned(resampled: Floats, difference: float) -> float:
    """Return the share of resamples that reverse the order of the two rows or make them equal."""
    return float((resampled * np.sign(difference) <= 0).mean())
