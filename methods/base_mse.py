"""Base w/ MSE: the visual network regresses the fixed class vectors."""

from typing import Literal

from torch import Tensor

from bench.losses import squared_error
from bench.method import Batch, Classes, Context, Loss, Method, over_clips
from bench.models.heads import MLP


class BaseMSE(Method):
    """E2E's loss (Brattoli et al., CVPR 2020) on AURL's network; both sides L2-normalised."""

    label = "Base w/ MSE"
    reduction: Literal["sum", "mean"] = "sum"  # over the dimensions; E2E's Adam does not see it

    def build(self, ctx: Context) -> None:
        """Visual side only: g, f_v into the word space."""
        self.g = ctx.backbone()
        self.f_v = MLP(ctx.backbone_dim, ctx.head, ctx.word_dim)

    def embed_video(self, batch: Batch) -> Tensor:
        """Return f_v(g(x)), mean over clips."""
        return over_clips(lambda clips: self.f_v(self.g(clips)), batch.video)

    def loss(self, batch: Batch, seen: Classes) -> Loss:
        """Squared error between v and the class vector of its label."""
        loss = squared_error(self.embed_video(batch), seen.vectors[batch.y], self.reduction)
        return loss, {"L_MSE": loss}
