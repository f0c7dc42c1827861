"""ESZSL against the normal equations solved as one linear system."""

import pytest
import torch
from torch.nn import functional as F

from bench.data.input_store import FeatureReader
from bench.errors import UserError
from bench.method import Batch, Classes, Context, create
from bench.training.cell_inputs import Batches
from methods.eszsl import ESZSL

N, K, D, W = 300, 4, 7, 5  # N: more videos than `batches.all` yields at once


def fitted(features: torch.Tensor, **values: float) -> tuple[ESZSL, Classes]:
    torch.manual_seed(1)
    seen = Classes([str(i) for i in range(K)], torch.randn(K, W))
    method = create(ESZSL, values)
    assert isinstance(method, ESZSL)
    method.build(Context(seen, {"features": D}, 8, torch.nn.Identity, 0))
    labels = (torch.arange(N) % K).tolist()
    batches = Batches(
        {"features": FeatureReader(features.numpy(), {})}, list(range(N)), labels, 8, 0
    )
    method.fit(batches, seen)
    return method, seen


@pytest.mark.parametrize("other", [-1.0, 0.0])
def test_it_solves_the_two_sided_system(other: float) -> None:
    torch.manual_seed(0)
    features = torch.randn(N, 2, D)
    method, seen = fitted(features, alpha=0.5, gamma=-0.5, other=other)
    x = features.mean(1).double().T
    y = F.one_hot(torch.arange(N) % K, K).double()
    y = y + other * (1 - y)
    s = F.normalize(seen.vectors.double(), dim=-1).T
    left = x @ x.T + 10**0.5 * torch.eye(D, dtype=torch.float64)
    right = s @ s.T + 10**-0.5 * torch.eye(W, dtype=torch.float64)
    # vec(L V R) = (Rᵀ ⊗ L) vec(V), solved directly.
    system = torch.kron(left, right.T.contiguous())
    wanted = torch.linalg.solve(system, (x @ y @ s.T).flatten()).view(D, W)
    assert torch.allclose(method.v.double(), wanted, rtol=1e-5, atol=1e-7)


def test_the_score_is_bilinear() -> None:
    method, seen = fitted(torch.randn(N, 1, D))
    video = torch.randn(3, 2, D)
    v = method.embed_video(Batch({"features": video}, torch.empty(0)))
    scores = method.score(v, method.embed_class(seen))
    wanted = video.mean(1) @ method.v @ F.normalize(seen.vectors, dim=-1).T
    assert torch.allclose(scores, wanted, atol=1e-6)


@pytest.mark.parametrize("spoiled", [float("nan"), float("inf")])
def test_features_that_are_not_finite(spoiled: float) -> None:
    features = torch.randn(N, 1, D)
    features[3, 0, 2] = spoiled
    with pytest.raises(UserError, match="no finite solution with alpha"):
        fitted(features)


@pytest.mark.parametrize("huge", [{"alpha": 400.0}, {"gamma": 400.0}])
def test_a_regulariser_beyond_all_numbers(huge: dict[str, float]) -> None:
    with pytest.raises(UserError, match=r"= 400.*lower it"):
        fitted(torch.randn(N, 1, D), **huge)


def test_a_singular_system_says_which_parameter_to_raise() -> None:
    with pytest.raises(UserError, match=r"no finite solution with alpha = -400.*raise"):
        fitted(torch.zeros(N, 1, D), alpha=-400)
