"""Base w/ L_S: alignment and uniformity against the fixed class vectors (no end-to-end f_s)."""

from bench.losses import nce
from bench.method import Batch, Classes, Loss
from bench.models.towers import FixedWords


class BaseLS(FixedWords):
    """L_S of AURL without f_s: the "no-e2e" ablation (inferred from the poster's table)."""

    label = "Base w/ L_S"
    lam: float = 10.0

    def loss(self, batch: Batch, seen: Classes) -> Loss:
        """L_S = nce(v, c, y); the negatives are all K seen classes."""
        loss = nce(self.embed_video(batch), seen.vectors, batch.y, self.lam)
        return loss, {"L_S": loss}
