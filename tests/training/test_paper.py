"""The paper's network and schedule: one optimisation step, on a CPU, at batch 2."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from project import ROOT
from torch import Tensor

from bench.config.profile import load_config
from bench.method import Context, as_tensor_classes
from bench.models.r2plus1d import new_backbone
from bench.training.cell_inputs import Batches
from bench.training.trainer import learning_rates, train
from methods.aurl import AURL

K = 662  # classes of Kinetics-700 that τ = 0.05 leaves


class Grey:
    """Clips of noise, uint8 [B,1,16,112,112,3] as the reader gives them."""

    dim, n = 0, 1
    failures: dict[int, str] = {}

    def train(self, rows: Sequence[int], rng: np.random.Generator, part: slice) -> Tensor:
        clips = rng.integers(0, 256, (len(rows), 1, 16, 112, 112, 3), np.uint8)
        return torch.from_numpy(clips[part])

    def test(self, rows: Sequence[int]) -> Tensor:
        raise AssertionError("training does not read test clips")


def context(feature_dim: int) -> Context:
    vectors = np.random.default_rng(0).normal(size=(K, 300))
    seen = as_tensor_classes([f"c{i}" for i in range(K)], vectors, torch.device("cpu"))
    network = load_config(ROOT, "paper").profile.network
    backbone, dim = new_backbone(network, feature_dim)
    return Context(seen, {"video": feature_dim}, network.head, backbone, dim)


def test_one_step_of_r2plus1d_18_with_2048_wide_heads(tmp_path: Path) -> None:
    torch.manual_seed(0)
    ctx = context(0)
    method = AURL()
    method.build(ctx)
    shapes = {name: tuple(w.shape) for name, w in method.named_parameters()}
    assert shapes["W"] == (K, 2048)
    assert shapes["f_s.regressor.weight"] == (512, 300)
    assert shapes["f_v.l3.0.weight"] == (2048, 2048)
    before = {name: w.detach().clone() for name, w in method.named_parameters()}
    settings = load_config(ROOT, "paper").profile.train.model_copy(
        update={"steps": 1, "batch": 2, "checkpoint_every": 0}
    )
    batches = Batches({"video": Grey()}, range(2), [5, 600], settings.batch, seed=0)
    log = train(method, batches, ctx.seen, settings, tmp_path / "state.pt").log
    assert len(log) == 1
    assert all(np.isfinite(value) for value in log[0].values())
    assert {"L_S", "L_C", "L_US", "L_US_floor", "cos_Z", "cos_Theta"} <= set(log[0])
    for name, weight in method.named_parameters():
        assert weight.grad is not None and weight.grad.isfinite().all(), name
        assert not torch.equal(weight, before[name]), name


def test_a_frozen_backbone_is_no_part_of_the_method() -> None:
    method = AURL()
    method.build(context(512))
    assert {name.split(".")[0] for name, _ in method.named_parameters()} == {"f_v", "f_s", "W"}


def test_profile_e2e_is_its_published_input_and_schedule() -> None:
    profile = load_config(ROOT, "e2e").profile
    given = profile.input
    assert (given.length, given.size, given.test_clips) == (16, 112, 25)
    assert (given.short_side, given.flip) == (128, True)
    epoch = 100_000 // profile.train.batch
    assert profile.train.batch == 8 * 22
    assert (profile.train.optimiser, profile.train.steps) == ("adam", 150 * epoch)
    rates = learning_rates(profile.train)
    for first, rate in ((0, 1e-3), (60 * epoch, 1e-4), (120 * epoch, 1e-5)):
        assert rates[first] == pytest.approx(rate)
        assert first == 0 or rates[first - 1] == pytest.approx(10 * rate)
