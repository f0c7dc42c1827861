"""PSGNN: both branches by hand in float64, classes that enter late, objects without a vector."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from bench.errors import UserError
from bench.method import Batch, Classes, Context, create
from bench.models.graph import knn_graph
from methods.psgnn import PSGNN

K, W, B, OBJECTS = 4, 5, 3, 7


def classes(count: int, seed: int) -> Classes:
    torch.manual_seed(seed)
    return Classes([str(i) for i in range(count)], torch.randn(count, W, dtype=torch.float64))


def made(
    objects: Classes | None = None, frames: int = 3, seen: int = K
) -> tuple[Any, Batch, Classes]:
    known = classes(seen, 0)
    method = create(PSGNN, {})
    bank = objects or classes(OBJECTS, 3)
    method.build(Context(known, {"objects": OBJECTS}, 8, torch.nn.Identity, 0, bank))
    scores = torch.rand(B, frames, OBJECTS, dtype=torch.float64).softmax(-1)
    return method.double().eval(), Batch({"objects": scores}, torch.arange(B) % seen), known


def convolved(net: Any, nodes: Tensor) -> Tensor:
    graph = knn_graph(nodes, 5)
    hidden = graph @ (nodes @ net.first.weight.T + net.first.bias)
    bent = torch.where(hidden > 0, hidden, 0.2 * hidden)
    return graph @ (bent @ net.last.weight.T + net.last.bias)


def test_both_branches_and_the_loss_by_hand() -> None:
    method, batch, seen = made()
    objects = F.normalize(classes(OBJECTS, 3).vectors, dim=-1)
    nodes = torch.cat([objects, F.normalize(seen.vectors, dim=-1)])
    prototypes = convolved(method.prototypes, nodes)[OBJECTS:]
    q = convolved(method.samples, objects)
    attention, total = method.attention, 0.0
    for i, y in enumerate(batch.y.tolist()):
        x = torch.stack(
            [
                sum((p * q[o] for o, p in enumerate(frame)), torch.zeros(method.width))
                for frame in batch.inputs["objects"][i]
            ]
        )
        query, key, value = (x @ attention.in_proj_weight.T + attention.in_proj_bias).chunk(3, -1)
        mixed = (query @ key.T / method.width**0.5).softmax(-1) @ value
        v = (mixed @ attention.out_proj.weight.T + attention.out_proj.bias).mean(0)
        assert torch.allclose(method.embed_video(batch)[i], v, atol=1e-12)
        scores = (prototypes @ v).tolist()
        total += math.log(sum(map(math.exp, scores))) - scores[y]
    assert method.loss(batch, seen)[0].item() == pytest.approx(total / B, rel=1e-12)


def test_test_classes_enter_the_graph_late_in_any_order() -> None:
    method, _, _ = made()
    new = classes(3, 9)
    found = method.embed_class(new)
    turned = method.embed_class(Classes(new.names[::-1], new.vectors.flip(0)))
    assert torch.allclose(found, turned.flip(0), atol=1e-12)
    nowhere = Classes(["zero"], torch.zeros(1, W, dtype=torch.float64))  # an isolated node
    assert method.embed_class(nowhere).isfinite().all()


def test_a_seen_class_is_one_node_when_it_is_embedded_again() -> None:
    method, _, seen = made()
    in_training = method.prototypes(method.nodes, method.graph)[OBJECTS:]
    assert torch.equal(method.embed_class(seen), in_training)
    new = classes(3, 9)
    mixed = torch.cat([seen.vectors[:1], new.vectors[:2], seen.vectors[2:3], new.vectors[2:]])
    found = method.embed_class(Classes(["s0", "n0", "n1", "s2", "n2"], mixed))
    assert torch.allclose(found[[1, 2, 4]], method.embed_class(new), atol=1e-12)
    assert not torch.allclose(found[0], found[3], atol=1e-3)


def test_an_object_without_a_vector_does_not_move_a_video() -> None:
    objects = classes(OBJECTS, 3)
    objects.vectors[2:] = 0
    method, batch, seen = made(objects)
    fewer = batch.inputs["objects"].clone()
    fewer[..., 2:] = 0
    without = method.embed_video(Batch({"objects": fewer}, batch.y))
    assert torch.equal(method.embed_video(batch), without)
    assert method.loss(batch, seen)[0].isfinite()


def test_needs_an_object_with_a_vector() -> None:
    nothing = Classes(["o"] * OBJECTS, torch.zeros(OBJECTS, W))
    with pytest.raises(UserError, match="no object name has a word vector"):
        made(nothing)


def test_does_not_depend_on_the_order_of_frames() -> None:
    method, batch, _ = made()
    turned = Batch({"objects": batch.inputs["objects"].flip(1)}, batch.y)
    assert torch.allclose(method.embed_video(batch), method.embed_video(turned), atol=1e-12)


@pytest.mark.parametrize(("frames", "seen"), [(1, K), (9, K), (3, 1)])
def test_any_number_of_frames_and_one_seen_class(frames: int, seen: int) -> None:
    method, batch, known = made(frames=frames, seen=seen)
    assert method.loss(batch, known)[0].isfinite()
    assert method.score(method.embed_video(batch), method.embed_class(known)).shape == (B, seen)
