"""Every loss against a float64 reference in numpy, written from the paper's formulas."""

from typing import get_args

import numpy as np
import pytest
import torch

from bench.config.schema import Network
from bench.losses import Law, alignment_floor, mean_cosine, mixing, nce, squared_error, synthesise
from bench.method import Batch, Classes, Context
from bench.models.centres import Anchor, Init, synthetic_loss
from bench.models.r2plus1d import new_backbone
from methods.aurl import AURL

LAM = 10.0
RNG = np.random.default_rng(0)
A, B = RNG.normal(size=(7, 5)), RNG.normal(size=(6, 5))
Y = np.array([0, 5, 2, 2, 1, 4, 3])


def tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array)


def unit(x: np.ndarray) -> np.ndarray:
    return np.stack([row / np.sqrt(sum(v * v for v in row)) for row in x])


def nce_reference(a: np.ndarray, b: np.ndarray, y: np.ndarray) -> float:
    sim = unit(a) @ unit(b).T
    return float(
        np.mean([-LAM * s[t] + np.log(np.exp(LAM * s).sum()) for s, t in zip(sim, y, strict=True)])
    )


def test_nce() -> None:
    assert nce(tensor(A), tensor(B), tensor(Y), LAM).item() == pytest.approx(nce_reference(A, B, Y))


def test_nce_is_the_posters_l_sup() -> None:
    """L_sup = λ·SP_λ(−sim(v_y,s_y) + (1/λ)·LSE({λ·sim(v_y,s_j)}_{j≠y})), row by row."""
    for i, y in enumerate(Y):
        sim = unit(A[i : i + 1]) @ unit(B).T
        others = np.log(np.exp(LAM * np.delete(sim[0], y)).sum())
        x = -sim[0, y] + others / LAM
        l_sup = LAM * (1 / LAM) * np.log(1 + np.exp(LAM * x))
        ours = nce(tensor(A[i : i + 1]), tensor(B), tensor(Y[i : i + 1]), LAM)
        assert ours.item() == pytest.approx(l_sup, rel=1e-12)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_squared_error(reduction: str) -> None:
    squares = [
        [(p - q) ** 2 for p, q in zip(u, v, strict=True)]
        for u, v in zip(unit(A), unit(B[Y]), strict=True)
    ]
    per_row = [sum(row) if reduction == "sum" else sum(row) / len(row) for row in squares]
    ours = squared_error(tensor(A), tensor(B[Y]), reduction)  # type: ignore[arg-type]
    assert ours.item() == pytest.approx(sum(per_row) / len(per_row))


@pytest.mark.parametrize("anchor", get_args(Anchor))
@pytest.mark.parametrize("law", get_args(Law))
def test_synthetic_loss_and_its_floor(law: Law, anchor: Anchor) -> None:
    s, w = RNG.normal(size=(6, 5)), RNG.random((6, 5))
    torch.manual_seed(3)
    loss, named = synthetic_loss(tensor(s), tensor(w), law, anchor, LAM)
    torch.manual_seed(3)
    mix = mixing(law, 6, tensor(s)).numpy()
    z, theta = mix @ unit(s), mix @ unit(w)
    anchors, others = (z, theta) if anchor == "semantic" else (theta, z)
    own = np.arange(6)
    assert loss.item() == pytest.approx(nce_reference(anchors, others, own))
    assert named["L_US"].item() == loss.item()
    assert named["L_US_floor"].item() == pytest.approx(nce_reference(others, others, own))
    for name, x in (("cos_Z", z), ("cos_Theta", theta)):
        pairs = unit(x) @ unit(x).T
        wanted = np.mean([pairs[i, j] for i in own for j in own if i != j])
        assert named[name].item() == pytest.approx(wanted)


def test_no_alignment_beats_the_floor() -> None:
    others = tensor(B)
    floor = alignment_floor(others, LAM)
    assert floor <= nce(others + 0.3 * tensor(A[:6]), others, torch.arange(6), LAM)


def test_mean_cosine_of_one_point_and_of_opposites() -> None:
    assert mean_cosine(torch.ones(4, 3)).item() == pytest.approx(1)
    assert mean_cosine(torch.tensor([[1.0, 0.0], [-2.0, 0.0]])).item() == pytest.approx(-1)


def test_laws_of_the_class_generator() -> None:
    torch.manual_seed(0)
    like = torch.zeros(1, dtype=torch.float64)
    drawn = {law: mixing(law, 200, like) for law in get_args(Law)}
    uniform, symmetric, pairwise = (drawn[law] for law in ("uniform", "symmetric", "pairwise"))
    assert all(mix.shape == (200, 200) and mix.dtype == torch.float64 for mix in drawn.values())
    assert 0 <= uniform.min() < 0.001 and 0.999 < uniform.max() < 1
    assert -1 <= symmetric.min() < -0.999 and 0.999 < symmetric.max() < 1
    assert torch.equal(drawn["identity"], torch.eye(200, dtype=torch.float64))
    assert torch.equal((pairwise != 0).sum(1), torch.full((200,), 2))
    assert torch.allclose(pairwise.sum(1), torch.ones(200, dtype=torch.float64))
    assert not torch.equal(uniform, mixing("uniform", 200, like))


def test_pairwise_weights_are_uniform() -> None:
    """Not nearly 0 and 1, with which the "synthetic" classes would be the seen ones."""
    torch.manual_seed(0)
    larger = mixing("pairwise", 1000, torch.zeros(1)).max(1).values
    assert larger.mean().item() == pytest.approx(0.75, abs=0.02)


def test_synthesise_mixes_unit_vectors() -> None:
    mix = RNG.random((6, 6))
    assert synthesise(tensor(mix), tensor(B)).numpy() == pytest.approx(mix @ unit(B))


def test_under_autocast_classes_that_hardly_differ_keep_their_gradient() -> None:
    """Bfloat16 has 8 bits; synthetic classes of U[0,1) differ in the 13th of their cosines."""
    gradients, logged = [], []
    for enabled in (False, True):
        torch.manual_seed(0)
        s, w = torch.randn(200, 512).requires_grad_(), torch.rand(200, 512)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            loss, parts = synthetic_loss(s, w, "uniform", "semantic", LAM)
        loss.backward()
        gradients.append(s.grad)
        logged.append([loss.item(), *(part.item() for part in parts.values())])
    assert torch.cosine_similarity(*(g.flatten() for g in gradients), dim=0) > 0.97
    assert logged[1] == pytest.approx(logged[0], abs=2e-4)


@pytest.mark.parametrize(("init", "mean", "std"), [("uniform", 0.5, 12**-0.5), ("normal", 0, 0.05)])
def test_initial_centres(init: Init, mean: float, std: float) -> None:
    torch.manual_seed(0)
    seen = Classes([f"c{i}" for i in range(100)], torch.randn(100, 10))
    method = AURL()
    method.w_init = init
    method.build(Context(seen, {}, 100, *new_backbone(Network(head=100), 12)))
    w = method.W
    assert w.requires_grad
    assert w.mean().item() == pytest.approx(mean, abs=0.01)
    assert w.std().item() == pytest.approx(std, rel=0.03)


def test_l_us_reaches_f_s_and_w_but_not_the_video_branch() -> None:
    torch.manual_seed(0)
    seen = Classes([f"c{i}" for i in range(6)], torch.randn(6, 10).double())
    backbone, dim = new_backbone(Network(head=16), 12)
    method = AURL()
    method.build(Context(seen, {"video": 12}, 16, backbone, dim))
    batch = Batch({"video": torch.randn(8, 1, 12).double()}, torch.arange(8) % 6)
    total, parts = method.double().loss(batch, seen)
    (total - parts["L_S"] - parts["L_C"]).backward()  # type: ignore[no-untyped-call]
    matrices = {name: w.grad for name, w in method.named_parameters() if w.ndim == 2}
    reached = {name for name, grad in matrices.items() if grad is not None and grad.norm() > 1e-9}
    assert reached == {name for name in matrices if name == "W" or name.startswith("f_s.")}
    assert any(name.startswith("f_v.") for name in matrices)
