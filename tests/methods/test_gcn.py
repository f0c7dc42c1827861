"""GCN against a graph and two layers written out in float64."""

from math import sqrt

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from bench.method import Batch, Classes, Context, create
from methods.gcn import GCN

K, D, W, NEIGHBOURS = 7, 6, 5, 2


def made() -> tuple[GCN, Batch, Classes]:
    torch.manual_seed(0)
    vectors = torch.randn(K, W, dtype=torch.float64) * torch.arange(1, K + 1)[:, None]
    seen = Classes([str(i) for i in range(K)], vectors)
    method = create(GCN, {"neighbours": NEIGHBOURS})
    assert isinstance(method, GCN)
    method.build(Context(seen, {"features": D}, 8, torch.nn.Identity, 0))
    batch = Batch({"features": torch.randn(4, 2, D, dtype=torch.float64)}, torch.arange(4))
    return method.double(), batch, seen


def unit(row: Tensor) -> Tensor:
    return row / row.square().sum().sqrt()


def by_hand(method: GCN, vectors: Tensor) -> Tensor:
    """Return P of every node: neighbours by cosine, both ways, D^(−1/2) (A + I) D^(−1/2), twice."""
    count, rows = len(vectors), [unit(v) for v in vectors]
    near = [
        sorted((j for j in range(count) if j != i), key=lambda j: -float(rows[i] @ rows[j]))
        for i in range(count)
    ]
    joined = [
        [
            j
            for j in range(count)
            if i == j or j in near[i][:NEIGHBOURS] or i in near[j][:NEIGHBOURS]
        ]
        for i in range(count)
    ]

    def spread(values: list[Tensor]) -> list[Tensor]:
        degrees = [len(j) for j in joined]
        return [
            torch.stack([values[j] / sqrt(degrees[i] * degrees[j]) for j in joined[i]]).sum(0)
            for i in range(count)
        ]

    first, last = method.gcn.first, method.gcn.last
    hidden = spread([first.weight @ row + first.bias for row in rows])
    bent = [torch.where(h > 0, h, 0.2 * h) for h in hidden]
    return torch.stack(spread([last.weight @ h + last.bias for h in bent]))


def test_the_regression_is_between_unit_vectors() -> None:
    method, batch, seen = made()
    _, parts = method.loss(batch, seen)
    found = by_hand(method, seen.vectors)
    apart = [(unit(found[k]) - unit(method.classifiers[k])).square().sum() for k in range(K)]
    assert parts["L_reg"].item() == pytest.approx(sum(a.item() for a in apart) / K, rel=1e-10)


def test_test_classes_join_the_graph_of_the_seen() -> None:
    method, _, seen = made()
    new = torch.randn(3, W, dtype=torch.float64) * 4
    found = method.embed_class(Classes(["a", "b", "c"], new))
    assert torch.allclose(found, by_hand(method, torch.cat([seen.vectors, new]))[K:], rtol=1e-10)


def test_a_seen_class_among_the_test_classes_is_one_node() -> None:
    method, _, seen = made()
    assert torch.allclose(method.embed_class(seen), by_hand(method, seen.vectors), rtol=1e-10)


def test_a_checkpoint_brings_the_seen_classes() -> None:
    method, _, _ = made()
    torch.manual_seed(7)
    new = Classes(["a", "b"], torch.randn(2, W, dtype=torch.float64))
    other, _, seen = made()
    other.seen_vectors.copy_(F.normalize(torch.randn_like(seen.vectors), dim=-1))
    assert not torch.allclose(other.embed_class(new), method.embed_class(new))
    other.load_state_dict(method.state_dict())
    assert torch.equal(other.embed_class(new), method.embed_class(new))


def test_one_seen_class_has_no_classification_loss() -> None:
    torch.manual_seed(0)
    seen = Classes(["only"], torch.randn(1, W))
    method = create(GCN, {})
    method.build(Context(seen, {"features": D}, 8, torch.nn.Identity, 0))
    loss, parts = method.loss(
        Batch({"features": torch.randn(3, 1, D)}, torch.zeros(3).long()), seen
    )
    assert parts["L_cls"].item() == 0 and loss.isfinite()
