"""PS-ZSAR: each pair's score in plain loops, few pairs at a time, one dropout."""

import math
from typing import Any

import pytest
import torch
from plain import B, D, K, W, layer, relu, tiny, unit

from bench.method import Batch, Classes, Context, create
from methods.ps_zsar import PSZSAR


def made(segments: int = 3, seen: int = 5) -> tuple[Any, Batch, Classes]:
    return tiny(PSZSAR, "video", segments, seen)


def test_scores_the_product_of_unit_embeddings() -> None:
    method, batch, seen = made()
    features, vectors = batch.video, seen.vectors
    scores = method.score(method.embed_video(batch), method.embed_class(seen))
    total = 0.0
    for i, y in enumerate(batch.y.tolist()):
        v = unit(layer(method.of_video, features[i].mean(0).tolist()))
        row = []
        for k in range(K):
            hidden = relu(layer(method.of_class[0], unit(vectors[k].tolist())))
            t = unit(layer(method.joint, unit(layer(method.of_class[2], hidden))))
            product = [a * b for a, b in zip(v, t, strict=True)]
            row += layer(method.pair[3], relu(layer(method.pair[0], product)))
        assert scores[i].tolist() == pytest.approx(row, abs=1e-12)
        total += math.log(sum(map(math.exp, row))) - row[y]
    assert method.loss(batch, seen)[0].item() == pytest.approx(total / B)


def test_scores_few_pairs_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    method, batch, seen = made()
    v, t = method.embed_video(batch), method.embed_class(seen)
    whole, pairs = method.score(v, t), []
    method.pair.register_forward_hook(lambda _, args, out: pairs.append(out.numel()))
    monkeypatch.setattr("methods.ps_zsar._PAIRS", 2 * K)
    assert torch.allclose(method.score(v, t), whole, atol=1e-12)
    assert pairs == [2 * K, K]


def test_has_one_dropout_of_the_features_whatever_its_input() -> None:
    assert made()[0].dropout.p == 0.05
    clips = create(PSZSAR, {})
    seen = Classes(["s"], torch.randn(1, W))
    clips.build(Context(seen, {"video": 0}, 8, torch.nn.Identity, D))  # the backbone has its own
    assert clips.dropout.p == 0


@pytest.mark.parametrize(("segments", "seen"), [(1, K), (9, K), (3, 1)])
def test_any_number_of_segments_and_one_seen_class(segments: int, seen: int) -> None:
    method, batch, classes = made(segments, seen)
    assert method.loss(batch, classes)[0].isfinite()
    assert method.embed_video(batch).isfinite().all()
