"""Base w/ MSE: the visual network regresses the fixed class vectors."""

from typing import Literal

from bench.losses import squared_error
from bench.method import Batch, Classes, Loss
from bench.models.towers import FixedWords


class BaseMSE(FixedWords):
    """E2E's loss (Brattoli et al., CVPR 2020) on AURL's network; both sides L2-normalised."""

    label = "Base w/ MSE"
    reduction: Literal["sum", "mean"] = "sum"  # over dimensions; E2E's Adam is invariant

    def loss(self, batch: Batch, seen: Classes) -> Loss:
        """Squared error between v and the class vector of its label."""
        loss = squared_error(self.embed_video(batch), seen.vectors[batch.y], self.reduction)
        return loss, {"L_MSE": loss}
