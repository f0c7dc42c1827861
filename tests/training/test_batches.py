"""Batches depend on nothing but the seed and the step."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.training.cell_inputs import Batches, stream

ROWS = [3, 5, 6, 10, 11, 20, 21]
LABELS = [0, 0, 1, 1, 2, 2, 2]


class Noisy:
    """A source whose samples are the row and a random number."""

    dim = 2
    failures: dict[int, str] = {}

    def train(self, rows: Sequence[int], rng: np.random.Generator, part: slice) -> Tensor:
        pairs = np.stack([np.asarray(rows, float), rng.random(len(rows))], axis=1)[part]
        return torch.from_numpy(pairs).unsqueeze(1)

    def test(self, rows: Sequence[int]) -> Tensor:
        raise AssertionError("training does not read test clips")


def batches(seed: int = 0, batch: int = 3) -> Batches:
    return Batches({"video": Noisy()}, ROWS, LABELS, batch, seed)


def same(a: tuple[dict[str, Tensor], Tensor], b: tuple[dict[str, Tensor], Tensor]) -> bool:
    return torch.equal(a[0]["video"], b[0]["video"]) and torch.equal(a[1], b[1])


def test_a_step_has_its_batch_whatever_was_asked_before() -> None:
    forward = [batches()[step] for step in range(20)]
    one = batches()
    for step in (19, 0, 7, 7, 12, 3):
        assert same(one[step], forward[step])


@pytest.mark.parametrize("first", [0, 4])
def test_a_stream_may_start_anywhere(first: int) -> None:
    found = list(stream(batches(), first, 9, workers=0))
    assert len(found) == 9 - first
    for step, batch in enumerate(found, first):
        assert same(batch, batches()[step])


def test_workers_give_the_same_batches_and_draw_none_of_trainings_numbers() -> None:
    before = torch.get_rng_state()
    for step, batch in enumerate(stream(batches(), 2, 9, workers=2), 2):
        assert same(batch, batches()[step])
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("batch", [1, 3, 7, 16])
def test_every_epoch_visits_each_row_once_with_its_label(batch: int) -> None:
    one = batches(batch=batch)
    steps = [one[step] for step in range(21)]
    rows = [int(r) for inputs, _ in steps for r in inputs["video"][:, 0, 0]]
    labels = [int(y) for _, ys in steps for y in ys]
    assert {len(ys) for _, ys in steps} == {batch}
    for start in range(0, len(rows) - len(ROWS) + 1, len(ROWS)):
        assert sorted(rows[start : start + len(ROWS)]) == ROWS
    assert all(LABELS[ROWS.index(row)] == y for row, y in zip(rows, labels, strict=True))
    assert rows[: len(ROWS)] != rows[len(ROWS) : 2 * len(ROWS)]


def test_seeds_differ_in_order_and_in_samples() -> None:
    a, b = batches(seed=0, batch=7)[0][0]["video"], batches(seed=1, batch=7)[0][0]["video"]
    assert not torch.equal(a[:, 0, 0], b[:, 0, 0])
    assert not set(a[:, 0, 1].tolist()) & set(b[:, 0, 1].tolist())
