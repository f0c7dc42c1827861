"""ESZSL (Romera-Paredes and Torr, ICML 2015): a bilinear map in closed form."""

import torch
from torch import Tensor
from torch.nn import functional as F

from bench.errors import UserError
from bench.method import Batch, Classes, Context, Method, TrainingVideos


class ESZSL(Method):
    """An embarrassingly simple approach: one regularised least-squares problem.

    X [D,N] are the mean features of the training videos, Y [N,K] is 1 for a video's class and
    ``other`` elsewhere, S [W,K] are the class vectors at unit length (numbered here):
    (1) V = (X Xᵀ + 10^α I)⁻¹ X Y Sᵀ (S Sᵀ + 10^γ I)⁻¹; (2) score(x, c) = xᵀ V s_c.

    Exact: the closed form, in float64, with unit class vectors and α = 3, γ = 0 as in the
    comparison of ER's paper. ``other`` is −1 as in the paper; ER's released code uses 0 (a
    reading). Approximated: the features are the profile's. They are not normalised: α was chosen
    for features with norms of some tens; at unit length the regulariser would dominate.
    """

    label = "ESZSL"
    needs = ("features",)
    learning = "closed form"
    approximates = "other clip feature"

    alpha: float = 3.0  # published
    gamma: float = 0.0  # published
    other: float = -1.0  # Y of the other classes; published

    v: Tensor

    def build(self, ctx: Context) -> None:
        """Allocate V [D,W]."""
        self.register_buffer("v", torch.zeros(ctx.dims["features"], ctx.word_dim))

    def fit(self, videos: TrainingVideos, seen: Classes) -> None:
        """Solve equation (1); UserError if it has no finite solution."""
        s = F.normalize(seen.vectors.double(), dim=-1)
        gram = s.new_zeros(len(self.v), len(self.v))
        right = s.new_zeros(len(self.v), len(seen))
        for batch in videos.all(s.device):
            x = batch.inputs["features"].mean(1).double()
            y = torch.where(F.one_hot(batch.y, len(seen)) == 1, 1.0, self.other).double()
            gram += x.T @ x
            right += x.T @ y
        left = _solved(gram, self.alpha, right @ s, "alpha")
        self.v.copy_(_solved(s.T @ s, self.gamma, left.T, "gamma").T)

    def embed_video(self, batch: Batch) -> Tensor:
        """Return Vᵀx, [B,W]."""
        return batch.inputs["features"].mean(1) @ self.v

    def embed_class(self, classes: Classes) -> Tensor:
        """Return s [K,W]."""
        return F.normalize(classes.vectors, dim=-1)

    def score(self, video: Tensor, classes: Tensor) -> Tensor:
        """Equation (2), [B,K]."""
        return video @ classes.T


def _solved(gram: Tensor, exponent: float, right: Tensor, name: str) -> Tensor:
    """Return (gram + 10^exponent I)⁻¹ right."""
    ridge = gram.new_full((len(gram),), 10.0) ** exponent  # inf instead of an error if it is huge
    whole = gram + ridge.diag()
    factor, failed = torch.linalg.cholesky_ex(whole)
    found = torch.cholesky_solve(right, factor)
    if failed or not (factor.isfinite().all() and found.isfinite().all()):
        raise UserError(
            f"ESZSL: the equations have no finite solution with {name} = {exponent}; raise "
            f"methods.eszsl.{name} (lower it if it is huge), or check for non-finite features"
        )
    return found
