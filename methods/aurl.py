"""AURL (Pu, Zhao, Zheng; CVPR 2022): L_S + L_C + L_US with the class generator."""

from bench.losses import Law, nce
from bench.method import Batch, Classes, Loss
from bench.models.centres import Centred, synthetic_loss


class AURL(Centred):
    """Defaults are the released settings; the poster's and other readings are parameters."""

    label = "AURL (ours)"
    generator: Law = "uniform"  # the law of A, which is drawn at each step
    visual_centres_loss: bool = True  # L_C; the poster's total leaves it out

    def loss(self, batch: Batch, seen: Classes) -> Loss:
        """L = L_S + L_C + L_US, with gradients of L_US to f_s and W."""
        v, s = self.embed_video(batch), self.embed_class(seen)
        l_s, l_c = nce(v, s, batch.y, self.lam), nce(v, self.W, batch.y, self.lam)
        l_us, parts = synthetic_loss(s, self.W, self.generator, self.us_anchor, self.lam)
        total = l_s + l_us + l_c if self.visual_centres_loss else l_s + l_us
        return total, {"L_S": l_s, "L_C": l_c, **parts}
