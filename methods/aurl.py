"""AURL (Pu, Zhao, Zheng; CVPR 2022): L_S + L_C + L_US with the class generator."""

from bench.losses import Law, nce
from bench.method import Batch, Classes, Context, Loss
from bench.models.centres import Anchor, Init, centres, synthetic_loss
from bench.models.towers import Joint


class AURL(Joint):
    """The released choices are the defaults; the poster's and other readings are parameters."""

    label = "AURL (ours)"
    lam: float = 10.0
    w_init: Init = "uniform"
    generator: Law = "uniform"  # the law of A, drawn afresh each step
    us_anchor: Anchor = "semantic"  # "visual" is the poster's direction of L_US
    visual_centres_loss: bool = True  # L_C; the poster's total leaves it out

    def build(self, ctx: Context) -> None:
        """Add the visual class centres W [K,D] to g, f_v and f_s."""
        super().build(ctx)
        self.W = centres(len(ctx.seen), ctx.head, self.w_init)

    def loss(self, batch: Batch, seen: Classes) -> Loss:
        """L = L_S + L_C + L_US, nothing detached: L_US reaches f_s and W."""
        v, s = self.embed_video(batch), self.embed_class(seen)
        l_s, l_c = nce(v, s, batch.y, self.lam), nce(v, self.W, batch.y, self.lam)
        l_us, parts = synthetic_loss(s, self.W, self.generator, self.us_anchor, self.lam)
        total = l_s + l_us + l_c if self.visual_centres_loss else l_s + l_us
        return total, {"L_S": l_s, "L_C": l_c, **parts}
