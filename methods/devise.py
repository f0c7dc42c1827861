"""DeViSE (Frome et al., NeurIPS 2013): a linear map into the word space, summed hinge."""

from bench.method import Batch, Classes, Loss
from bench.models.bilinear import Bilinear


class DeViSE(Bilinear):
    """A video should be more compatible with its own class than with any other, by a margin.

    With F(x, c) = xᵀ W s_c (numbered here): (1) L = Σ_{c ≠ y} max(0, Δ + F(x, c) − F(x, y)), mean
    over the batch; classes are ranked by F.

    Exact: the summed hinge over all seen classes and its margin of 0.1. Approximated: the features
    are the profile's, not those of the comparison in ER's paper, and both sides are at unit length;
    ER's released comparison is a reading (raw x, dropout of 0.5 on both sides in training).
    """

    label = "DeViSE"

    def loss(self, batch: Batch, seen: Classes) -> Loss:
        """Equation (1)."""
        loss = self.violations(batch, seen).sum(1).mean()
        return loss, {"L_hinge": loss}
