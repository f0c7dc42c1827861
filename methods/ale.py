"""ALE (Akata et al., TPAMI 2016): DeViSE's hinge, weighted by the rank of the correct class."""

from bench.method import Batch, Classes, Loss
from bench.models.bilinear import Bilinear, rank_weights


class ALE(Bilinear):
    """Errors at the top of the ranking are weighted more than errors further down.

    With F(x, c) = xᵀ W s_c, r the number of classes that violate the margin and l_r = Σ_{i ≤ r} 1/i
    (numbered here): (1) L = (l_r / r) Σ_{c ≠ y} max(0, Δ + F(x, c) − F(x, y)), mean over the batch;
    classes are ranked by F.

    Exact: the weighted approximate ranking loss with the rank counted over all seen classes (the
    paper estimates it by sampling), as in ER's released comparison. Approximated: the features are
    the profile's, and both sides are at unit length; ER's comparison is a reading (raw
    x, dropout 0.5).
    """

    label = "ALE"

    def loss(self, batch: Batch, seen: Classes) -> Loss:
        """Equation (1); the weight has no gradient."""
        violations = self.violations(batch, seen)
        loss = (rank_weights(violations.detach()) * violations.sum(1)).mean()
        return loss, {"L_rank": loss}
