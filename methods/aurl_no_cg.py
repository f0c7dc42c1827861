"""AURL w/o CG: the class generator removed, so that L_US acts on the seen classes themselves."""

from bench.losses import nce
from bench.method import Batch, Classes, Context, Loss
from bench.models.centres import Anchor, Init, centres, synthetic_loss
from bench.models.towers import Joint


class AURLNoCG(Joint):
    """AURL with A = I (inferred); the second reading, L_S + L_C alone, is ``us_loss: false``."""

    label = "AURL w/o CG"
    lam: float = 10.0
    w_init: Init = "uniform"
    us_anchor: Anchor = "semantic"
    us_loss: bool = True

    def build(self, ctx: Context) -> None:
        """Add the visual class centres W [K,D] to g, f_v and f_s."""
        super().build(ctx)
        self.W = centres(len(ctx.seen), ctx.head, self.w_init)

    def loss(self, batch: Batch, seen: Classes) -> Loss:
        """L = L_S + L_C + nce(s, W), or L_S + L_C."""
        v, s = self.embed_video(batch), self.embed_class(seen)
        l_s, l_c = nce(v, s, batch.y, self.lam), nce(v, self.W, batch.y, self.lam)
        l_us, parts = synthetic_loss(s, self.W, "identity", self.us_anchor, self.lam)
        total = l_s + l_c + l_us if self.us_loss else l_s + l_c
        return total, {"L_S": l_s, "L_C": l_c, **parts}
