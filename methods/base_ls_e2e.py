"""Base w/ L_S + e2e: the visual and the semantic network trained jointly."""

from torch import Tensor

from bench.losses import nce
from bench.method import Batch, Classes, Context, Loss, Method, over_clips
from bench.models.heads import MLP, TextNet


class BaseLSE2E(Method):
    """L_S of AURL with f_s; neither visual centres nor class generator."""

    label = "Base w/ L_S + e2e"
    lam: float = 10.0

    def build(self, ctx: Context) -> None:
        """Visual side g, f_v and semantic side f_s."""
        self.g = ctx.backbone()
        self.f_v = MLP(ctx.backbone_dim, ctx.head, ctx.head)
        self.f_s = TextNet(ctx.word_dim, 512, ctx.head, ctx.head)

    def embed_video(self, batch: Batch) -> Tensor:
        """Return v = f_v(g(x)), mean over clips."""
        return over_clips(lambda clips: self.f_v(self.g(clips)), batch.video)

    def embed_class(self, classes: Classes) -> Tensor:
        """Return s = f_s(c)."""
        s: Tensor = self.f_s(classes.vectors)
        return s

    def loss(self, batch: Batch, seen: Classes) -> Loss:
        """L_S = nce(v, s); the negatives are all K seen classes."""
        loss = nce(self.embed_video(batch), self.embed_class(seen), batch.y, self.lam)
        return loss, {"L_S": loss}
