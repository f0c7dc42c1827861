"""GCN, DEM and PSGNN: their losses by hand, test classes that enter late, isolated nodes."""

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from bench.errors import UserError
from bench.method import Batch, Classes, Context, Method, create
from methods.dem import DEM
from methods.gcn import GCN
from methods.psgnn import PSGNN

K, D, W, OBJECTS = 4, 6, 5, 7


def classes(count: int, seed: int) -> Classes:
    torch.manual_seed(seed)
    return Classes([str(i) for i in range(count)], torch.randn(count, W))


def made(kind: type[Method], objects: Classes | None = None) -> tuple[Any, Batch, Classes]:
    seen = classes(K, 0)
    method = create(kind, {})
    dims = {"objects": OBJECTS} if objects else {"features": D}
    method.build(Context(seen, dims, 8, torch.nn.Identity, 0, objects))
    inputs = {"features": torch.randn(5, 2, D), "objects": torch.rand(5, 3, OBJECTS).softmax(-1)}
    return method.eval(), Batch(inputs, torch.tensor([0, 1, 2, 3, 0])), seen


def test_dem_is_the_squared_distance_in_visual_space() -> None:
    method, batch, seen = made(DEM)
    x = F.normalize(batch.inputs["features"].mean(1), dim=-1)
    f = method.f(seen.vectors)
    loss, _ = method.loss(batch, seen)
    apart = [float((x[i] - f[y]).square().sum().detach()) for i, y in enumerate(batch.y.tolist())]
    assert loss.item() == pytest.approx(sum(apart) / len(apart), rel=1e-5)
    scores = method.score(method.embed_video(batch), method.embed_class(seen))
    nearest = torch.cdist(x, f).argmin(1)
    assert torch.equal(scores.argmax(1), nearest)


def test_gcn_regresses_its_own_classifiers_without_moving_them() -> None:
    method, batch, seen = made(GCN)
    loss, parts = method.loss(batch, seen)
    u = F.normalize(method.classifiers, dim=-1)
    x = F.normalize(batch.inputs["features"].mean(1), dim=-1)
    expected = F.cross_entropy(10 * x @ u.T, batch.y).item()
    assert parts["L_cls"].item() == pytest.approx(expected)
    parts["L_reg"].backward(retain_graph=True)
    assert method.classifiers.grad is None
    assert loss.item() == pytest.approx((parts["L_cls"] + parts["L_reg"]).item())


@pytest.mark.parametrize("kind", [GCN, PSGNN])
def test_test_classes_enter_the_graph_late(kind: type[Method]) -> None:
    objects = classes(OBJECTS, 3) if kind is PSGNN else None
    method, _, _ = made(kind, objects)
    both = classes(3, 9)
    found = method.embed_class(both)
    assert found.shape[0] == 3 and found.isfinite().all()
    turned = method.embed_class(Classes(both.names[::-1], both.vectors.flip(0)))
    assert torch.allclose(found, turned.flip(0), atol=1e-5)
    alone = method.embed_class(Classes(["zero"], torch.zeros(1, W)))  # an isolated node
    assert alone.isfinite().all()


def test_psgnn_ignores_objects_without_a_vector_and_needs_one_with() -> None:
    objects = classes(OBJECTS, 3)
    objects.vectors[2:] = 0
    method, batch, seen = made(PSGNN, objects)
    assert method.embed_video(batch).isfinite().all()
    assert method.loss(batch, seen)[0].isfinite()
    with pytest.raises(UserError, match="no object name has a word vector"):
        made(PSGNN, Classes(objects.names, objects.vectors * 0))


def test_psgnn_does_not_depend_on_the_order_of_frames() -> None:
    method, batch, _ = made(PSGNN, classes(OBJECTS, 3))
    turned = Batch({"objects": batch.inputs["objects"].flip(1)}, batch.y)
    assert torch.allclose(method.embed_video(batch), method.embed_video(turned), atol=1e-6)
