"""One update: memory that runs out, bfloat16, torch.compile, and what it all costs."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bench.config.schema import Train
from bench.errors import UserError
from bench.method import Batch, Classes, Loss, Method
from bench.models.r2plus1d import R2Plus1D
from bench.training import device
from bench.training.device import PARTS, Meter
from bench.training.trainer import Step

SEEN = Classes(["a", "b"], torch.eye(2))
SETTINGS = Train(steps=3, batch=8, lr=0.1, warmup=0)
CLIPS = torch.randn(8, 1, 3, 4, 16, 16, generator=torch.Generator().manual_seed(0))
BATCH = Batch({"video": CLIPS}, torch.tensor([0, 1] * 4))


class Tight(R2Plus1D):
    """A backbone for which a device's memory is enough for ``most`` clips at a time."""

    most = 8

    def _features(self, clips: Tensor) -> Tensor:
        found = super()._features(clips)
        if len(clips) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return found


class Small(Method):
    """A classifier that also draws a random number a step."""

    def __init__(self, most: int = 8) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.g = Tight((4,), (0,), stem_mid=4, dropout=0.0)
        self.g.most = most
        self.g.stem[1], self.g.stem[4] = nn.Identity(), nn.Identity()  # whose statistics differ
        self.head = nn.Linear(4, 2)

    def loss(self, batch: Batch, seen: Classes) -> Loss:
        logits = self.head(self.g(batch.video[:, 0]))
        return nn.functional.cross_entropy(logits, batch.y) + torch.rand(()), {}


def stepped(method: Method, settings: Train = SETTINGS) -> tuple[Step, list[float]]:
    torch.manual_seed(1)
    step = Step(method, method.loss, SEEN, settings, Meter(torch.device("cpu")))
    return step, [float(step(BATCH, 0.1)[0]) for _ in range(settings.steps)]


@pytest.mark.parametrize(("most", "parts"), [(5, 2), (2, 4), (1, 8)])
def test_when_memory_runs_out_the_same_batch_goes_on_in_parts(most: int, parts: int) -> None:
    whole, tight = Small(), Small(most)
    plain, wanted = stepped(whole)
    step, found = stepped(tight)
    assert (plain.micro_batches, step.micro_batches) == (1, parts)
    assert found == pytest.approx(wanted, abs=1e-5)
    for ours, theirs in zip(tight.parameters(), whole.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)


def test_a_pass_that_ran_out_of_memory_leaves_no_batch_statistics() -> None:
    tight, asked = Small(2), Small()
    for method in (tight, asked):
        method.g.stem[1] = nn.BatchNorm3d(4)
    stepped(tight)
    stepped(asked, SETTINGS.model_copy(update={"micro_batch": 2}))
    for ours, theirs in zip(tight.buffers(), asked.buffers(), strict=True):
        assert torch.equal(ours, theirs)


def test_parts_can_be_asked_for(tmp_path: object) -> None:
    step, found = stepped(Small(2), SETTINGS.model_copy(update={"micro_batch": 2}))
    assert step.micro_batches == 4
    assert found == pytest.approx(stepped(Small())[1], abs=1e-5)


def test_too_little_memory_for_one_clip_is_said_in_one_line() -> None:
    with pytest.raises(UserError, match=r"one clip at a time; lower train\.batch"):
        stepped(Small(0))


def test_bf16_is_near_fp32_and_keeps_float32_weights() -> None:
    method = Small()
    wanted = stepped(Small())[1]
    found = stepped(method, SETTINGS.model_copy(update={"precision": "bf16"}))[1]
    assert found != wanted
    assert found == pytest.approx(wanted, abs=0.02)
    assert {w.dtype for w in method.parameters()} == {torch.float32}


@pytest.mark.slow
def test_a_compiled_step_is_near_the_plain_one() -> None:
    wanted = stepped(Small())[1]
    found = stepped(Small(), SETTINGS.model_copy(update={"compile": True}))[1]
    # The compiler draws its random numbers in an order of its own: the losses differ by them.
    assert [abs(a - b) < 1 for a, b in zip(found, wanted, strict=True)] == [True] * 3


def test_the_meter_counts_whole_steps_without_the_first_ones_and_what_lies_between() -> None:
    meter = Meter(torch.device("cpu"))
    assert meter.speed(4) is None
    for _ in range(10):
        meter.start()
        for part in PARTS:
            meter.end(part)
        meter.stop()
    speed = meter.speed(4)
    assert speed and speed.memory_mb > 0
    assert sum(speed.shares.values()) == pytest.approx(1, abs=0.01)
    assert speed.clips_per_s == pytest.approx(4 / speed.step_s, rel=0.01)


def test_normalise_moves_channels_and_scales_each() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 6, 7, 3), np.uint8)
    mean, std = np.array(device.MEAN), np.array(device.STD)
    expected = np.moveaxis((pixels / 255 - mean) / std, -1, 2)
    result = device.normalise(torch.from_numpy(pixels))
    assert result.shape == (2, 5, 3, 4, 6, 7)
    assert result.dtype == torch.float32
    assert np.allclose(result.numpy(), expected, atol=1e-5)
