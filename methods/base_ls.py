"""Base w/ L_S: alignment and uniformity against the fixed class vectors (no end-to-end f_s)."""

from torch import Tensor

from bench.losses import nce
from bench.method import Batch, Classes, Context, Loss, Method, over_clips
from bench.models.heads import MLP


class BaseLS(Method):
    """L_S of AURL without f_s: the "no-e2e" ablation (inferred from the poster's table)."""

    label = "Base w/ L_S"
    lam: float = 10.0

    def build(self, ctx: Context) -> None:
        """Visual side only: g, f_v into the word space."""
        self.g = ctx.backbone()
        self.f_v = MLP(ctx.backbone_dim, ctx.head, ctx.word_dim)

    def embed_video(self, batch: Batch) -> Tensor:
        """Return f_v(g(x)), mean over clips."""
        return over_clips(lambda clips: self.f_v(self.g(clips)), batch.video)

    def loss(self, batch: Batch, seen: Classes) -> Loss:
        """L_S = nce(v, c(y)); the negatives are all K seen classes."""
        loss = nce(self.embed_video(batch), seen.vectors, batch.y, self.lam)
        return loss, {"L_S": loss}
