"""Bilinear compatibility between features and class vectors, shared by DeViSE, ALE and SJE."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.method import Batch, Classes, Context, Method
from bench.typing import Share


class Bilinear(Method):
    """F(x, c) = xᵀ W s_c, with x [D] a video's mean feature and s_c [W] the class vector.

    x and s have unit length, so the margin of the hinge losses does not depend on the scale of the
    features. ER's released comparison has ``unit_features: false`` (s stays
    at unit length) and ``dropout: 0.5`` on x and on s.
    """

    needs = ("features",)
    approximates = "other clip feature; features and class vectors at unit length"

    margin: float = 0.1  # published in ER's comparison
    unit_features: bool = True
    dropout: Share = 0.0  # of x and of s in training

    def build(self, ctx: Context) -> None:
        """Make W [D,W] as a linear layer."""
        self.w = nn.Linear(ctx.dims["features"], ctx.word_dim, bias=False)
        self.drop = nn.Dropout(self.dropout)

    def embed_video(self, batch: Batch) -> Tensor:
        """Return Wᵀx, [B,W]."""
        x = batch.inputs["features"].mean(1)
        x = F.normalize(x, dim=-1) if self.unit_features else x
        mapped: Tensor = self.w(self.drop(x))
        return mapped

    def embed_class(self, classes: Classes) -> Tensor:
        """Return s [K,W]."""
        s: Tensor = self.drop(F.normalize(classes.vectors, dim=-1))
        return s

    def score(self, video: Tensor, classes: Tensor) -> Tensor:
        """Return the compatibilities [B,K]."""
        return video @ classes.T

    def violations(self, batch: Batch, seen: Classes) -> Tensor:
        """Return [B,K]: max(0, Δ + F(x, c) − F(x, y)) of every wrong class c, 0 for c = y."""
        scores = self.score(self.embed_video(batch), self.embed_class(seen))
        own = scores.gather(1, batch.y[:, None])
        margins = (self.margin + scores - own).clamp(min=0)
        return margins.scatter(1, batch.y[:, None], 0.0)


def rank_weights(violations: Tensor) -> Tensor:
    """Return [B]: l_r / r of ALE, with r the number of violating classes and l_r = Σ_{i≤r} 1/i."""
    classes = violations.shape[1]
    rank = (violations > 0).sum(1)
    steps = torch.arange(1, classes + 1, device=violations.device, dtype=violations.dtype)
    harmonic = F.pad((1 / steps).cumsum(0), (1, 0))
    return harmonic[rank] / rank.clamp(min=1)
