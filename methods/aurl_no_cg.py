"""AURL w/o CG: without the class generator, so L_US acts on the seen classes themselves."""

from bench.losses import nce
from bench.method import Batch, Classes, Loss
from bench.models.centres import Centred, synthetic_loss


class AURLNoCG(Centred):
    """AURL with A = I (inferred); the second reading, only L_S + L_C, is ``us_loss: false``."""

    label = "AURL w/o CG"
    us_loss: bool = True

    def loss(self, batch: Batch, seen: Classes) -> Loss:
        """L = L_S + L_C + nce(s, W), or L_S + L_C."""
        v, s = self.embed_video(batch), self.embed_class(seen)
        l_s, l_c = nce(v, s, batch.y, self.lam), nce(v, self.W, batch.y, self.lam)
        l_us, parts = synthetic_loss(s, self.W, "identity", self.us_anchor, self.lam)
        total = l_s + l_c + l_us if self.us_loss else l_s + l_c
        return total, {"L_S": l_s, "L_C": l_c, **parts}
