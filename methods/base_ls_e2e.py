"""Base w/ L_S + e2e: the visual and the semantic network trained jointly."""

from bench.losses import nce
from bench.method import Batch, Classes, Loss
from bench.models.towers import Joint


class BaseLSE2E(Joint):
    """L_S of AURL with f_s; neither visual centres nor class generator."""

    label = "Base w/ L_S + e2e"
    lam: float = 10.0

    def loss(self, batch: Batch, seen: Classes) -> Loss:
        """L_S = nce(v, s, y); the negatives are all K seen classes."""
        loss = nce(self.embed_video(batch), self.embed_class(seen), batch.y, self.lam)
        return loss, {"L_S": loss}
