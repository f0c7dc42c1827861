"""Base of methods without training: score classes by the objects recognised in a video."""

from math import log

import torch
from torch import Tensor
from torch.nn import functional as F

from bench.errors import UserError
from bench.method import Batch, Classes, Context, Method


class ObjectBased(Method):
    """Score a class by the objects in a video and the cosine between their word vectors."""

    needs = ("objects",)
    learning = "none"

    object_vectors: Tensor
    has_vector: Tensor
    ranked: Tensor

    def build(self, ctx: Context) -> None:
        """Store the objects' word vectors [O,W] at unit length, zeros for unknown names.

        ``ranked`` [O] masks the objects that have both a word vector and probabilities.
        """
        if ctx.objects is None or not ctx.objects.vectors.any():
            raise UserError(
                f"{self.label}: no object name has a word vector; use other objects or word vectors"
            )
        self.names = list(ctx.objects.names)
        self.register_buffer("object_vectors", F.normalize(ctx.objects.vectors, dim=-1))
        self.register_buffer("has_vector", self.object_vectors.any(-1))
        scored = ctx.objects.inputs.get("scored", torch.ones(len(self.names)))
        self.register_buffer("ranked", self.has_vector & (scored.to(self.has_vector.device) > 0))

    def embed_video(self, batch: Batch) -> Tensor:
        """Return p(o|v) [B,O], the mean over frames."""
        return batch.inputs["objects"].mean(1)

    def similarity(self, classes: Classes) -> Tensor:
        """Return cos(φ(a), φ(o)) [K,O]; 0 for an object without a word vector."""
        return F.normalize(classes.vectors, dim=-1) @ self.object_vectors.T

    def score(self, video: Tensor, classes: Tensor) -> Tensor:
        """Return Σ_o video_o · class_o, [B,K]."""
        return video @ classes.T


def keep_top(values: Tensor, count: int, among: Tensor) -> Tensor:
    """Return ``values`` [N,O] with all but the ``count`` largest of each row set to 0.

    Only objects in the mask ``among`` [O] are ranked and kept.
    """
    ranked = values.masked_fill(~among, -torch.inf)
    top = ranked.topk(min(count, values.shape[-1]), dim=-1).indices
    return torch.zeros_like(values).scatter(-1, top, values.gather(-1, top)) * among


def spatial_histogram(person: Tensor, thing: Tensor) -> Tensor:
    """Return where an object lies relative to a person: the shares [...,9] of its area per tile.

    Boxes are [...,4] (x1, y1, x2, y2). The tiles are the person's box (number 4) and the eight
    unbounded ones around it, row by row. An object without area has shares of 0.
    """
    across = _thirds(person[..., 0], person[..., 2], thing[..., 0], thing[..., 2])
    down = _thirds(person[..., 1], person[..., 3], thing[..., 1], thing[..., 3])
    return (down.unsqueeze(-1) * across.unsqueeze(-2)).flatten(-2)


def divergence(p: Tensor, q: Tensor) -> Tensor:
    """Return the Jensen-Shannon divergence [...] of shares [...,9] in bits, from 0 to 1."""
    middle = (p + q) / 2
    apart = [(torch.xlogy(one, one) - torch.xlogy(one, middle)).sum(-1) for one in (p, q)]
    return ((apart[0] + apart[1]) / (2 * log(2))).clamp(0, 1)


def _thirds(start: Tensor, end: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Return the shares [...,3] of [low, high] before, within and after [start, end]."""
    first = torch.maximum(torch.minimum(start, high), low)
    last = torch.maximum(torch.minimum(end, high), low)
    length = high - low
    parts = torch.stack([first - low, last - first, high - last], -1)
    return parts / length.where(length > 0, 1).unsqueeze(-1) * (length > 0).unsqueeze(-1)
