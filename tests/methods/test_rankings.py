"""DeViSE, ALE and SJE against plain loops in float64."""

import pytest
import torch
from torch import Tensor

from bench.method import Batch, Classes, Context, Method, create
from bench.models.bilinear import Bilinear, rank_weights
from methods.ale import ALE
from methods.devise import DeViSE
from methods.sje import SJE

B, K, D, W = 5, 4, 6, 3


def made(kind: type[Method], **parameters: object) -> tuple[Bilinear, Batch, Classes]:
    torch.manual_seed(0)
    seen = Classes([str(i) for i in range(K)], torch.randn(K, W, dtype=torch.float64))
    method = create(kind, parameters)
    method.build(Context(seen, {"features": D}, 8, torch.nn.Identity, 0))
    method.double()
    assert isinstance(method, Bilinear)
    features = torch.randn(B, 2, D, dtype=torch.float64)
    return method, Batch({"features": features}, torch.tensor([0, 1, 2, 3, 1])), seen


def hinges(method: Bilinear, batch: Batch, seen: Classes) -> list[list[float]]:
    rows = []
    weight = method.w.weight.detach()
    for i, y in enumerate(batch.y.tolist()):
        x = batch.inputs["features"][i].mean(0)
        x = x / x.norm()
        scores = [float(x @ weight.T @ (s / s.norm())) for s in seen.vectors]
        rows.append([max(0, 0.1 + scores[c] - scores[y]) for c in range(K) if c != y])
    return rows


def devise(row: list[float]) -> float:
    return sum(row)


def ale(row: list[float]) -> float:
    rank = sum(h > 0 for h in row)
    return sum(row) * sum(1 / i for i in range(1, rank + 1)) / rank if rank else 0


@pytest.mark.parametrize(("kind", "of_row"), [(DeViSE, devise), (ALE, ale), (SJE, max)])
def test_the_loss(kind: type[Method], of_row: object) -> None:
    method, batch, seen = made(kind)
    loss, _ = method.loss(batch, seen)
    wanted = sum(map(of_row, hinges(method, batch, seen))) / B  # type: ignore[arg-type]
    assert loss.item() == pytest.approx(wanted, rel=1e-12)


def test_the_score_is_the_compatibility() -> None:
    method, batch, seen = made(DeViSE)
    scores: Tensor = method.score(method.embed_video(batch), method.embed_class(seen))
    x = batch.inputs["features"][2].mean(0)
    s = seen.vectors[3]
    wanted = x / x.norm() @ method.w.weight.T @ (s / s.norm())
    assert scores[2, 3].item() == pytest.approx(wanted.item())


def test_a_video_that_violates_nothing_weighs_nothing() -> None:
    weights = rank_weights(torch.tensor([[0.0, 0.0, 0.0], [0.0, 2.0, 1.0]]))
    assert weights.tolist() == [0.0, 0.75]


def test_the_reading_of_ERs_comparison() -> None:
    method, batch, seen = made(DeViSE, unit_features=False, dropout=0.5)
    method.eval()
    x, s = batch.inputs["features"].mean(1), seen.vectors / seen.vectors.norm(dim=1, keepdim=True)
    scores: Tensor = method.score(method.embed_video(batch), method.embed_class(seen))
    assert torch.allclose(scores, x @ method.w.weight.T @ s.T)
    method.train()
    assert (method.embed_class(seen) == 0).any()


def test_one_seen_class_has_no_loss() -> None:
    method, batch, seen = made(SJE)
    one = Classes(seen.names[:1], seen.vectors[:1])
    loss, _ = method.loss(Batch(batch.inputs, batch.y * 0), one)
    assert loss.item() == 0
