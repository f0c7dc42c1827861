"""Plain loops in double precision, and a tiny method on three videos, to test methods against."""

import math
from typing import Any

import torch

from bench.method import Batch, Classes, Context, Method, create

K, D, W, B = 5, 6, 4, 3  # seen classes, features, words, videos


def tiny(
    kind: type[Method], given: str, segments: int = 3, seen: int = K
) -> tuple[Any, Batch, Classes]:
    """Give a built method in eval mode, a batch of ``given`` [B,segments,D], the seen classes."""
    torch.manual_seed(0)
    classes = Classes([str(i) for i in range(seen)], torch.randn(seen, W, dtype=torch.float64))
    method = create(kind, {})
    method.build(Context(classes, {given: D}, 8, torch.nn.Identity, D))
    y = torch.tensor([0, 1, 2]).clamp(max=seen - 1)
    x = torch.randn(B, segments, D, dtype=torch.float64)
    return method.double().eval(), Batch({given: x}, y), classes


def layer(module: Any, x: list[float]) -> list[float]:
    """Return a linear layer's output in plain loops."""
    rows = zip(module.weight.tolist(), module.bias.tolist(), strict=True)
    return [sum(w * a for w, a in zip(row, x, strict=True)) + bias for row, bias in rows]


def relu(x: list[float]) -> list[float]:
    """Return max(x, 0) of each entry."""
    return [max(a, 0.0) for a in x]


def unit(x: list[float]) -> list[float]:
    """Return x at unit length."""
    norm = math.sqrt(sum(a * a for a in x))
    return [a / norm for a in x]
