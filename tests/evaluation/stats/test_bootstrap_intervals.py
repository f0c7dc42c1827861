"""The paired bootstraps against closed forms, and by their own promises."""

import numpy as np
import pytest

from bench.evaluation.statistics import (
    over_classes,
    over_videos,
    percentiles,
    t_quantile,
    turned,
    z_quantile,
)


def gains(classes: int, videos: int, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    shares = rng.random((classes, 2))
    return [(rng.random(videos) < a).astype(float) - (rng.random(videos) < b) for a, b in shares]


def test_over_classes_has_the_variance_of_a_mean() -> None:
    gain = np.array([3.0, -1, 4, 0, 5, 2, -2, 6])
    found = over_classes(np.full(8, 20.0), gain, np.random.default_rng(0), 100_000)
    assert found.mean() == pytest.approx(5 * gain.mean(), abs=0.05)
    assert found.var() == pytest.approx(25 * np.var(gain) / 8, rel=0.02)


def test_over_videos_has_the_variance_of_a_stratified_mean() -> None:
    every = [*gains(6, 5), *gains(2, 30)]
    found = over_videos(every, np.random.default_rng(0), 100_000)
    size = sum(map(len, every))
    expected = sum(len(g) * np.var(g, ddof=1) for g in every) / size**2
    assert found.mean() == pytest.approx(100 * sum(g.sum() for g in every) / size, abs=0.1)
    assert found.var() == pytest.approx(1e4 * expected, rel=0.02)


def test_two_levels_count_no_variance_twice() -> None:
    """The class means hold the noise of their videos already: both bootstraps agree."""
    every = gains(40, 6)
    sums = np.array([g.sum() for g in every])
    one = over_classes(np.full(40, 6.0), sums, np.random.default_rng(0), 50_000)
    two = over_videos(every, np.random.default_rng(0), 50_000, classes_too=True)
    assert two.var() == pytest.approx(one.var(), rel=0.05)


def test_a_class_tested_in_two_draws_counts_twice() -> None:
    every = gains(5, 10)
    doubled = over_videos([2 * g for g in every], np.random.default_rng(0), 500, tested=[2] * 5)
    assert doubled == pytest.approx(over_videos(every, np.random.default_rng(0), 500))


def test_a_seed_repeats_it() -> None:
    every = gains(5, 10)
    first, again = (over_videos(every, np.random.default_rng(3), 50, True) for _ in range(2))
    assert (first == again).all()


def test_percentiles_of_a_normal_sample_are_a_t_interval_with_its_n() -> None:
    """With n − 1 in the variance and t: what a percentile interval of the mean lacks."""
    n, normal = 6, np.random.default_rng(0).normal(size=400_000)
    low, high = percentiles(normal, n)
    half = (n / (n - 1)) ** 0.5 * t_quantile(n - 1)
    assert (-low + high) / 2 == pytest.approx(half, rel=0.02)
    plain = percentiles(normal, 10**6)
    assert plain[1] == pytest.approx(z_quantile(0.95), rel=0.02)


def test_turned_counts_the_other_side_and_the_middle() -> None:
    assert turned(np.array([-1.0, 0.0, 1.0, 2.0]), 3.0) == 0.5
    assert turned(np.array([-1.0, -2.0, 1.0, -2.0]), -3.0) == 0.25


def test_models_that_are_always_right_alike_have_no_interval_but_a_point() -> None:
    same = [np.zeros(4)] * 3
    assert percentiles(over_videos(same, np.random.default_rng(0), 100, True), 3) == (0, 0)
