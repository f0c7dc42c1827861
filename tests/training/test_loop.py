"""The training loop: resuming is exact, a loss that is not finite ends it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bench.config.schema import Train
from bench.data.input_store import FeatureReader
from bench.method import Batch, Classes, Loss, Method
from bench.training.cell_inputs import Batches
from bench.training.trainer import Diverged, Log, train

SETTINGS = Train(steps=25, batch=4, lr=0.1, warmup=3, log_every=10, checkpoint_every=7)
SEEN = Classes(["a", "b", "c"], torch.eye(3))
FEATURES = np.random.default_rng(0).normal(size=(9, 5)).astype(np.float32)


class Small(Method):
    """Everything that a state must carry: weights, momentum, batch norm, dropout's random numbers.

    Its loss is ``spoil``ed at a step, or the power goes off then.
    """

    def __init__(self, spoil: float | None = None, power_off: bool = False, at: int = -1) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Dropout(0.5))
        self.head = nn.Linear(8, 3)
        self.spoil, self.power_off, self.at, self.steps = spoil, power_off, at, 0

    def loss(self, batch: Batch, seen: Classes) -> Loss:
        if self.power_off and self.steps == self.at:
            raise KeyboardInterrupt
        loss = nn.functional.cross_entropy(self.head(self.net(batch.video[:, 0])), batch.y)
        loss = loss + 0.1 * torch.rand(())
        if self.spoil is not None and self.steps == self.at:
            loss = loss * self.spoil
        self.steps += 1
        return loss, {"half": loss / 2}


def run(method: Method, state: Path, settings: Train = SETTINGS) -> Log:
    batches = Batches(
        {"video": FeatureReader(FEATURES, {})}, range(9), [0, 1, 2] * 3, settings.batch, 0
    )
    return train(method, batches, SEEN, settings, state).log


def seeded(seed: int, **spoiled: float | bool | int) -> Small:
    torch.manual_seed(seed)
    return Small(**spoiled)  # type: ignore[arg-type]


def weights(method: Method) -> Sequence[Tensor]:
    return list(method.state_dict().values())


@pytest.mark.parametrize(
    ("killed_at", "optimiser"), [(16, "sgd"), (14, "sgd"), (8, "sgd"), (16, "adam")]
)
def test_a_killed_run_ends_in_the_very_numbers_of_an_unbroken_one(
    tmp_path: Path, killed_at: int, optimiser: str
) -> None:
    settings = SETTINGS.model_copy(update={"optimiser": optimiser})
    unbroken = seeded(0)
    log = run(unbroken, tmp_path / "unbroken.pt", settings)
    state = tmp_path / "state.pt"
    with pytest.raises(KeyboardInterrupt):
        run(seeded(0, power_off=True, at=killed_at), state, settings)
    resumed = seeded(99)  # what it starts from must not matter
    assert run(resumed, state, settings) == log
    assert resumed.steps == 25 - killed_at // 7 * 7
    for ours, wanted in zip(weights(resumed), weights(unbroken), strict=True):
        assert torch.equal(ours, wanted)


def test_a_damaged_state_counts_as_none(tmp_path: Path) -> None:
    unbroken = seeded(0)
    log = run(unbroken, tmp_path / "unbroken.pt")
    state = tmp_path / "state.pt"
    with pytest.raises(KeyboardInterrupt):
        run(seeded(0, power_off=True, at=16), state)
    content = bytearray(state.read_bytes())
    content[len(content) // 2] ^= 4
    state.write_bytes(content)
    again = seeded(0)
    assert run(again, state) == log
    assert again.steps == 25


def test_checkpoints_change_nothing(tmp_path: Path) -> None:
    log = run(seeded(0), tmp_path / "a.pt")
    quiet = SETTINGS.model_copy(update={"checkpoint_every": 0})
    assert run(seeded(0), tmp_path / "b.pt", quiet) == log
    assert not (tmp_path / "b.pt").exists()


def test_the_log_has_means_of_each_interval(tmp_path: Path) -> None:
    log = run(seeded(0), tmp_path / "state.pt")
    each = run(seeded(0), tmp_path / "other.pt", SETTINGS.model_copy(update={"log_every": 1}))
    assert [row["step"] for row in log] == [10, 20, 25]
    for row, part in zip(log, (each[:10], each[10:20], each[20:]), strict=True):
        assert row["loss"] == pytest.approx(np.mean([one["loss"] for one in part]))
        assert row["half"] == pytest.approx(row["loss"] / 2)
        assert row["lr"] == part[-1]["lr"]


@pytest.mark.parametrize("spoil", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("at", [0, 13])
def test_a_loss_that_is_not_finite_names_its_step(tmp_path: Path, spoil: float, at: int) -> None:
    method = seeded(0, spoil=spoil, at=at)
    with pytest.raises(Diverged, match=rf"the loss is (nan|-?inf) at step {at}$"):
        run(method, tmp_path / "state.pt")
    assert method.steps == at + 1


def test_a_part_of_the_loss_that_no_log_can_hold_ends_it_at_once(tmp_path: Path) -> None:
    class Odd(Small):
        def loss(self, batch: Batch, seen: Classes) -> Loss:
            return super().loss(batch, seen)[0], {"log_p": torch.tensor(-torch.inf)}

    torch.manual_seed(0)
    with pytest.raises(Diverged, match=r"the part log_p of the loss is -inf at step 9$"):
        run(Odd(), tmp_path / "state.pt")


def test_frozen_weights_are_left_alone(tmp_path: Path) -> None:
    method = seeded(0)
    method.head.requires_grad_(False)
    before = method.head.weight.clone()
    run(method, tmp_path / "state.pt")
    assert torch.equal(method.head.weight, before)
