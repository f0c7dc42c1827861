"""AURL w/o CG: the class generator removed, so that L_US acts on the seen classes themselves."""

from torch import Tensor

from bench.losses import nce
from bench.method import Batch, Classes, Context, Loss, Method, over_clips
from bench.models.centres import Anchor, Init, centres, synthetic_loss
from bench.models.heads import MLP, TextNet


class AURLNoCG(Method):
    """AURL with A = I (inferred); the second reading, L_S + L_C alone, is ``us_loss: false``."""

    label = "AURL w/o CG"
    lam: float = 10.0
    w_init: Init = "uniform"
    us_anchor: Anchor = "semantic"
    us_loss: bool = True

    def build(self, ctx: Context) -> None:
        """Visual side g, f_v, semantic side f_s, visual class centres W [K,D]."""
        self.g = ctx.backbone()
        self.f_v = MLP(ctx.backbone_dim, ctx.head, ctx.head)
        self.f_s = TextNet(ctx.word_dim, 512, ctx.head, ctx.head)
        self.W = centres(len(ctx.seen), ctx.head, self.w_init)

    def embed_video(self, batch: Batch) -> Tensor:
        """Return v = f_v(g(x)), mean over clips."""
        return over_clips(lambda clips: self.f_v(self.g(clips)), batch.video)

    def embed_class(self, classes: Classes) -> Tensor:
        """Return s = f_s(c)."""
        s: Tensor = self.f_s(classes.vectors)
        return s

    def loss(self, batch: Batch, seen: Classes) -> Loss:
        """L = L_S + L_C + nce(s, W), or L_S + L_C."""
        v, s = self.embed_video(batch), self.embed_class(seen)
        l_s, l_c = nce(v, s, batch.y, self.lam), nce(v, self.W, batch.y, self.lam)
        l_us, parts = synthetic_loss(s, self.W, "identity", self.us_anchor, self.lam)
        total = l_s + l_c + l_us if self.us_loss else l_s + l_c
        return total, {"L_S": l_s, "L_C": l_c, **parts}
