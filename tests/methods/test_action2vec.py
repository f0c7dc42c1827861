"""Action2Vec: its loss in plain loops, groups of segments, attention."""

import math
from typing import Any

import pytest
import torch
from plain import B, K, tiny
from torch.nn import functional as F

from bench.method import Batch, Classes
from methods.action2vec import Action2Vec


def made(segments: int = 3, seen: int = 5) -> tuple[Any, Batch, Classes]:
    return tiny(Action2Vec, "features", segments, seen)


def test_the_loss_by_hand() -> None:
    method, batch, seen = made()
    method.weight = 0.5
    v = method.embed_video(batch).detach()
    logits = method.classify(v).tolist()
    total = 0.0
    for i, y in enumerate(batch.y.tolist()):
        cos = [float(v[i] @ c / (v[i].norm() * c.norm())) for c in seen.vectors]
        ranking = sum(max(0.0, 0.2 - cos[y] + cos[c]) for c in range(K) if c != y)
        entropy = math.log(sum(map(math.exp, logits[i]))) - logits[i][y]
        total += ranking + 0.5 * entropy
    assert method.loss(batch, seen)[0].item() == pytest.approx(total / B, rel=1e-12)


@pytest.mark.parametrize("segments", [4, 6, 9])
def test_groups_of_four_states_and_attention_over_groups(segments: int) -> None:
    """The second level sees the mean of each group; the last one may be smaller."""
    method, batch, _ = made(segments)
    reduced = method.reduce(F.normalize(batch.inputs["features"], dim=-1))
    states = method.first(reduced)[0]
    starts = range(0, segments, 4)
    groups = torch.stack([states[:, at : at + 4].mean(1) for at in starts], 1)
    u = method.second(groups)[0].detach()
    for i in range(B):
        energy = (u[i].tanh() @ method.attend.weight[0]).tolist()
        share = [math.exp(e) / sum(map(math.exp, energy)) for e in energy]
        pooled = sum(a * u[i, j] for j, a in enumerate(share))
        assert torch.allclose(method.embed_video(batch)[i], method.out[1](pooled), rtol=1e-12)


def test_dropout_in_training_only() -> None:
    method, batch, _ = made()
    assert torch.equal(method.embed_video(batch), method.embed_video(batch))
    method.train()
    assert not torch.equal(method.embed_video(batch), method.embed_video(batch))


@pytest.mark.parametrize(("segments", "seen"), [(1, K), (9, K), (3, 1)])
def test_any_number_of_segments_and_one_seen_class(segments: int, seen: int) -> None:
    method, batch, classes = made(segments, seen)
    assert method.loss(batch, classes)[0].isfinite()
    assert method.embed_video(batch).isfinite().all()
