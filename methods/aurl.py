"""AURL (Pu, Zhao, Zheng; CVPR 2022): L_S + L_C + L_US with the class generator."""

from torch import Tensor

from bench.losses import Law, nce
from bench.method import Batch, Classes, Context, Loss, Method, over_clips
from bench.models.centres import Anchor, Init, centres, synthetic_loss
from bench.models.heads import MLP, TextNet


class AURL(Method):
    """The released choices are the defaults; the poster's and other readings are parameters."""

    label = "AURL (ours)"
    lam: float = 10.0
    w_init: Init = "uniform"
    generator: Law = "uniform"  # the law of A, drawn afresh each step
    us_anchor: Anchor = "semantic"  # "visual" is the poster's direction of L_US
    visual_centres_loss: bool = True  # L_C; the poster's total leaves it out

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
        """L = L_S + L_C + L_US, nothing detached: L_US reaches f_s and W."""
        v, s = self.embed_video(batch), self.embed_class(seen)
        l_s, l_c = nce(v, s, batch.y, self.lam), nce(v, self.W, batch.y, self.lam)
        l_us, parts = synthetic_loss(s, self.W, self.generator, self.us_anchor, self.lam)
        total = l_s + l_us + l_c if self.visual_centres_loss else l_s + l_us
        return total, {"L_S": l_s, "L_C": l_c, **parts}
