"""The learning rate of every update."""

import numpy as np
from numpy.typing import NDArray

from bench.config.schema import Train


def learning_rates(train: Train) -> NDArray[np.float64]:
    """Return [steps]: 0 → lr over ``warmup`` updates, then half a cosine down to 0.

    The warm-up is linear, or geometric: update t of w has lr / batch · batch^(t/w) (ER's released
    code). With ``milestones`` (updates) the rate is multiplied by ``milestone_factor`` at each of
    them instead of the cosine (E2E). With ``first_update_at_full_rate`` the schedule comes one
    update late and the first runs at the full rate, as in the released code of AURL, whose
    scheduler steps after the optimiser.
    """
    warm = min(train.warmup, train.steps)
    rest = train.steps - warm
    rising = np.linspace(0, train.lr, warm)
    if train.warmup_law == "geometric":
        rising = train.lr * float(train.batch) ** (np.arange(warm) / max(warm, 1) - 1)
    falling = 0.5 * train.lr * (1 + np.cos(np.pi * np.arange(rest) / max(rest, 1)))
    if train.milestones:
        passed = np.searchsorted(sorted(train.milestones), np.arange(warm, train.steps), "right")
        falling = np.asarray(train.lr * train.milestone_factor**passed, np.float64)
    rates = np.concatenate([rising, falling])
    if train.first_update_at_full_rate:
        rates = np.concatenate([[train.lr], rates[:-1]])
    return rates
