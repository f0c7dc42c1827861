"""E2E: the mean squared error of unit vectors in plain loops, one dropout."""

import math
from typing import Any

import pytest
import torch
from plain import B, D, K, W, tiny

from bench.method import Batch, Classes, Context, create
from methods.e2e import E2E


def made(segments: int = 3, seen: int = 5) -> tuple[Any, Batch, Classes]:
    return tiny(E2E, "video", segments, seen)


def test_the_loss_is_the_mean_squared_error_of_unit_vectors() -> None:
    method, batch, seen = made()
    weight, bias = method.f.weight.tolist(), method.f.bias.tolist()
    total = 0.0
    for x, y in zip(batch.video.mean(1).tolist(), batch.y.tolist(), strict=True):
        v = [
            sum(w * a for w, a in zip(row, x, strict=True)) + b
            for row, b in zip(weight, bias, strict=True)
        ]
        c = seen.vectors[y].tolist()
        apart = [p / math.hypot(*v) - q / math.hypot(*c) for p, q in zip(v, c, strict=True)]
        total += sum(a * a for a in apart) / W
    assert method.loss(batch, seen)[0].item() == pytest.approx(total / B, rel=1e-12)


def test_one_dropout_after_the_mean_over_clips_whatever_the_input() -> None:
    method, batch, _ = made()
    assert method.dropout.p == 0.05
    taken: list[torch.Tensor] = []
    method.dropout.register_forward_hook(lambda _, args, out: taken.append(args[0]))
    method.embed_video(batch)
    assert torch.allclose(taken[0], batch.video.mean(1))
    clips = create(E2E, {})
    seen = Classes(["s"], torch.randn(1, W))
    clips.build(Context(seen, {"video": 0}, 8, torch.nn.Identity, D))  # the backbone has its own
    assert not any(isinstance(m, torch.nn.Dropout) for m in clips.modules())


@pytest.mark.parametrize(("segments", "seen"), [(1, K), (9, K), (3, 1)])
def test_any_number_of_segments_and_one_seen_class(segments: int, seen: int) -> None:
    method, batch, classes = made(segments, seen)
    assert method.loss(batch, classes)[0].isfinite()
    assert method.embed_video(batch).isfinite().all()
