"""The learning rate of every update: warm-up, cosine, and the released code's first update."""

import math

import pytest

from bench.config.schema import Train
from bench.training.trainer import learning_rates


def scheduled(i: int, train: Train) -> float:
    """Return the released schedule's value i: linspace(0, lr, warmup), then half a cosine."""
    if i < train.warmup:
        return train.lr * i / (train.warmup - 1)
    rest = train.steps - train.warmup
    return 0.5 * train.lr * (1 + math.cos(math.pi * (i - train.warmup) / rest))


@pytest.mark.parametrize("train", [Train(), Train(steps=500, lr=0.1, warmup=20)])
def test_warm_up_then_cosine(train: Train) -> None:
    plain = learning_rates(train.model_copy(update={"first_update_at_full_rate": False}))
    assert plain == pytest.approx([scheduled(i, train) for i in range(train.steps)])
    assert plain[0] == 0
    assert plain[train.warmup] == plain.max() == train.lr


def test_released_first_update_runs_at_the_full_rate_and_the_schedule_one_late() -> None:
    train = Train()
    assert train.first_update_at_full_rate
    rates = learning_rates(train)
    assert len(rates) == 58_500
    assert rates[0] == 0.05
    assert rates[1:] == pytest.approx([scheduled(i, train) for i in range(58_499)])


@pytest.mark.parametrize(("steps", "warmup"), [(1, 0), (1, 5), (3, 5), (5, 5), (4, 0), (2, 1)])
@pytest.mark.parametrize("late", [True, False])
def test_short_schedules(steps: int, warmup: int, late: bool) -> None:
    train = Train(steps=steps, warmup=warmup, lr=0.1, first_update_at_full_rate=late)
    rates = learning_rates(train)
    assert len(rates) == steps
    assert ((rates >= 0) & (rates <= 0.1)).all()


def test_geometric_warm_up_starts_at_the_rate_over_the_batch_as_in_ER() -> None:
    train = Train(steps=6, warmup=4, warmup_law="geometric", batch=16, lr=1.0)
    rates = learning_rates(train.model_copy(update={"first_update_at_full_rate": False}))
    assert rates == pytest.approx([1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 0.5])


def test_milestones_halve_the_rate_where_asked() -> None:
    train = Train(steps=4, warmup=0, milestones=(1, 3), milestone_factor=0.5, lr=1.0)
    rates = learning_rates(train.model_copy(update={"first_update_at_full_rate": False}))
    assert rates == pytest.approx([1, 0.5, 0.5, 0.25])


def test_milestones_divide_the_rate_by_ten() -> None:
    train = Train(steps=6, warmup=1, milestones=(3, 5), lr=1.0, first_update_at_full_rate=False)
    assert learning_rates(train) == pytest.approx([0, 1, 1, 0.1, 0.1, 0.01])
