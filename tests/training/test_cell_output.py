"""The checkpoint that is best on the test sets, across kills."""

from pathlib import Path

import numpy as np
import pytest

from bench.training.embed import Embedded
from bench.training.run_cell import BestOnTest


def embedded(right: int, videos: int = 3) -> dict[str, Embedded]:
    """Return a test set of which ``right`` videos are right."""
    arrays = {
        "video": np.eye(2, dtype=np.float32)[[0] * videos],
        "class": np.eye(2, dtype=np.float32),
        "label": np.array([0] * right + [1] * (videos - right), np.int32),
        "row": np.arange(videos, dtype=np.int32),
    }
    return {"t": Embedded(["a", "b"], arrays, videos)}


@pytest.mark.parametrize("right", [1, 2])
def test_a_kill_in_between_changes_no_choice(tmp_path: Path, right: int) -> None:
    """An equal top-1 later is no better one; thirds have no end in decimals."""
    state = tmp_path / "state.pt"
    BestOnTest(state).offer(10, embedded(right))
    state.write_bytes(b"of step 15")
    again = BestOnTest(state)
    again.offer(20, embedded(right))
    assert again.step == 10


def test_a_training_that_begins_anew_takes_nothing_of_the_one_before(tmp_path: Path) -> None:
    BestOnTest(tmp_path / "state.pt").offer(10, embedded(3))
    assert BestOnTest(tmp_path / "state.pt").step == 0
