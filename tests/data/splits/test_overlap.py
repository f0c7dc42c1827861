"""The τ exclusion: which training classes are too near to a test class."""

import numpy as np
import pytest

from bench.data.splits.overlap import Nearest, nearest_test_classes


@pytest.mark.parametrize(
    ("distance", "tau", "kept"),
    [
        (0.05, 0.05, True),
        (0.05 - 1e-12, 0.05, False),
        (-1e-16, 0.0, True),
        (0.0, 0.0, True),
        (0.0, 1e-9, False),
    ],
)
def test_tau(distance: float, tau: float, kept: bool) -> None:
    assert Nearest("a", "b", "test", distance).kept(tau) is kept


def test_nearest_over_all_test_sets_whatever_the_lengths() -> None:
    def vectors(*rows: tuple[float, float]) -> np.ndarray:
        return np.array(rows, np.float32)

    found = nearest_test_classes(
        (["east", "north", "between"], vectors((3, 0), (0, 0.1), (1, 1))),
        {
            "one": (["e", "w"], vectors((0.5, 0), (-1, 0))),
            "two": (["n", "ne"], vectors((1, 2), (0, 7))),
        },
    )
    assert [(f.name, f.nearest, f.dataset) for f in found] == [
        ("east", "e", "one"),
        ("north", "ne", "two"),
        ("between", "n", "two"),
    ]
    wanted = [0, 0, 1 - 3 / np.sqrt(10)]
    assert [f.distance for f in found] == pytest.approx(wanted, abs=1e-6)
