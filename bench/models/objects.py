"""What methods without training share: objects of a video, and how near they are to a class."""

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from bench.errors import UserError
from bench.method import Batch, Classes, Context, Method


class ObjectBased(Method):
    """A class is scored by the objects in a video, through the cosine of their names' vectors."""

    needs: ClassVar[tuple[str, ...]] = ("objects",)
    learning = "none"

    object_vectors: Tensor

    def build(self, ctx: Context) -> None:
        """Keep the objects' vectors [O,W] at unit length; zeros for names without a word vector."""
        if ctx.objects is None or not ctx.objects.vectors.any():
            raise UserError(
                f"{self.label}: no object's name has a word vector; give other objects or vectors"
            )
        self.names = list(ctx.objects.names)
        self.register_buffer("object_vectors", F.normalize(ctx.objects.vectors, dim=-1))

    def embed_video(self, batch: Batch) -> Tensor:
        """Return p(o|v) [B,O], the mean over frames."""
        return batch.inputs["objects"].mean(1)

    def similarity(self, classes: Classes) -> Tensor:
        """Return cos(φ(a), φ(o)) [K,O]; 0 for an object without a word vector."""
        return F.normalize(classes.vectors, dim=-1) @ self.object_vectors.T

    def score(self, video: Tensor, classes: Tensor) -> Tensor:
        """Return Σ_o p(o|v) s(a, o), [B,K]."""
        return video @ classes.T


def keep_top(values: Tensor, count: int) -> Tensor:
    """Return ``values`` [N,O] with all but the ``count`` largest of a row set to 0."""
    top = values.topk(min(count, values.shape[-1]), dim=-1)
    return torch.zeros_like(values).scatter(-1, top.indices, top.values)


def spatial_histogram(person: Tensor, thing: Tensor) -> Tensor:
    """Return where an object lies relative to a person: shares [...,9] of its area.

    Boxes are [...,4] (x1, y1, x2, y2). The tiles are the person's box (index 4) and the eight
    around it, row by row, the outer ones unbounded. A box without area has shares of 0.
    """
    across = _thirds(person[..., 0], person[..., 2], thing[..., 0], thing[..., 2])
    down = _thirds(person[..., 1], person[..., 3], thing[..., 1], thing[..., 3])
    return (down[..., :, None] * across[..., None, :]).flatten(-2)


def _thirds(start: Tensor, end: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Return the shares [...,3] of [low, high] before, within and behind [start, end]."""
    length = (high - low).clamp(min=0)
    before = (torch.minimum(high, start) - low).clamp(min=0)
    behind = (high - torch.maximum(low, end)).clamp(min=0)
    within = (length - before - behind).clamp(min=0)
    shares = torch.stack([before, within, behind], -1)
    return shares / length.clamp(min=1e-9)[..., None] * (length > 0)[..., None]


def divergence(p: Tensor, q: Tensor) -> Tensor:
    """Return the Jensen-Shannon divergence of [...,9] shares in bits, 0 to 1."""
    middle = (p + q) / 2

    def part(a: Tensor) -> Tensor:
        return torch.where(a > 0, a * (a / middle.clamp(min=1e-12)).clamp(min=1e-12).log2(), 0).sum(
            -1
        )

    return ((part(p) + part(q)) / 2).clamp(0, 1)
