"""SJE (Akata et al., CVPR 2015): the hinge of only the most violating class."""

from bench.method import Batch, Classes, Loss
from bench.models.bilinear import Bilinear


class SJE(Bilinear):
    """A structured SVM: only the most violating class contributes to the loss.

    With F(x, c) = xᵀ W s_c (numbered here): (1) L = max_{c ≠ y} max(0, Δ + F(x, c) − F(x, y)), mean
    over the batch; classes are ranked by F.

    Exact: the loss, with the margin of 0.1 that the comparison gives for all three rankings.
    Approximated: the features are the profile's, and both sides are at unit length; ER's
    released comparison is a reading (raw x, dropout 0.5).
    """

    label = "SJE"

    def loss(self, batch: Batch, seen: Classes) -> Loss:
        """Equation (1)."""
        loss = self.violations(batch, seen).amax(1).mean()
        return loss, {"L_max": loss}
