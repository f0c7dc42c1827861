"""TARN: distances and cosines of segments in plain loops, episodes, many classes."""

import math
from typing import Any

import pytest
import torch
from plain import B, D, K, W, layer, relu, tiny, unit

from bench.errors import UserError
from bench.method import Batch, Classes, Context, create
from methods.tarn import TARN


def made(segments: int = 3, seen: int = 5) -> tuple[Any, Batch, Classes]:
    return tiny(TARN, "features", segments, seen)


def test_compares_each_segment_by_distance_and_cosine() -> None:
    method, batch, seen = made()
    h, z = method.embed_video(batch), method.embed_class(seen)
    found, total = method.score(h, z), 0.0
    segments = h.view(B, 3, method.width).tolist()
    for i, y in enumerate(batch.y.tolist()):
        for k in range(K):
            relation = 0.0
            for segment in segments[i]:
                c = z[k].tolist()
                apart = math.dist(segment, c)
                alike = sum(a * b for a, b in zip(unit(segment), unit(c), strict=True))
                hidden = relu(layer(method.compare[0], [apart, alike]))
                relation += layer(method.compare[2], hidden)[0] / 3
            assert found[i, k].item() == pytest.approx(relation, abs=1e-12)
            total += math.log(1 + math.exp(-relation if k == y else relation))
    method.episode = K  # all seen classes: nothing is drawn
    assert method.loss(batch, seen)[0].item() == pytest.approx(total / (B * K))


def test_the_gradient_is_finite_where_a_segment_is_its_class() -> None:
    method, _, _ = made()
    h = torch.ones(1, 2, method.width, dtype=torch.float64, requires_grad=True)
    method._scores(h, torch.ones(1, method.width, dtype=torch.float64)).sum().backward()
    assert h.grad is not None and h.grad.isfinite().all()


def test_scores_classes_as_alone_whatever_their_number() -> None:
    method, batch, _ = made()
    video, z = method.embed_video(batch), torch.randn(70, method.width, dtype=torch.float64)
    alone = torch.cat([method.score(video, one[None]) for one in z], 1)
    assert torch.allclose(method.score(video, z), alone, atol=1e-12)


def test_an_episode_has_the_batchs_classes_and_others() -> None:
    method, batch, _ = made()
    method.episode = 4
    drawn = [set(method._episode(batch.y, 9).tolist()) for _ in range(60)]
    assert all({0, 1, 2} < one and len(one) == 4 for one in drawn)
    assert set.union(*drawn) == set(range(9))
    method.episode = 2
    assert sorted(method._episode(batch.y, 9).tolist()) == [0, 1, 2]


def test_needs_an_even_width() -> None:
    method = create(TARN, {"width": 7})
    seen = Classes(["s"], torch.randn(1, W))
    with pytest.raises(UserError, match="width 7 must be even"):
        method.build(Context(seen, {"features": D}, 8, torch.nn.Identity, 0))


@pytest.mark.parametrize(("segments", "seen"), [(1, K), (9, K), (3, 1)])
def test_any_number_of_segments_and_one_seen_class(segments: int, seen: int) -> None:
    method, batch, classes = made(segments, seen)
    assert method.loss(batch, classes)[0].isfinite()
    assert method.embed_video(batch).isfinite().all()
