"""The learning rate of every update."""

import numpy as np
from numpy.typing import NDArray

from bench.settings import Train


def learning_rates(train: Train) -> NDArray[np.float64]:
    """Return [steps]: linear 0 → lr over ``warmup`` updates, then half a cosine down to 0.

    With ``milestones`` (updates) the rate is divided by 10 at each of them instead (E2E). With
    ``first_update_at_full_rate`` the schedule comes one update late and the first runs at the full
    rate, as in the released code, whose scheduler steps after the optimiser.
    """
    warm = min(train.warmup, train.steps)
    rest = train.steps - warm
    falling = 0.5 * train.lr * (1 + np.cos(np.pi * np.arange(rest) / max(rest, 1)))
    if train.milestones:
        passed = np.searchsorted(sorted(train.milestones), np.arange(warm, train.steps), "right")
        falling = np.asarray(train.lr * 0.1**passed, np.float64)
    rates = np.concatenate([np.linspace(0, train.lr, warm), falling])
    if train.first_update_at_full_rate:
        rates = np.concatenate([[train.lr], rates[:-1]])
    return rates
