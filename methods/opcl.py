"""OPCL (Mettes, Thong and Snoek, IJCV 2021): object priors for unseen actions, without training."""

from torch import Tensor
from torch.nn import functional as F

from bench.method import Batch, Classes
from bench.models.objects import ObjectBased, keep_top


class OPCL(ObjectBased):
    """Not every object is worth the same: ambiguous and undiscriminating ones count less.

    φ is a name's word vector at unit length (numbered here):
    (1) near(a, o) = cos(φ(a), φ(o));
    (2) discrimination: near'(a, o) = near(a, o) − mean over the other tested classes a' of the
    positive part of near(a', o), so that an object which suits every action helps none;
    (3) ambiguity: u(o) = 1 − mean over the 5 other objects nearest to o of the positive part of
    cos(φ(o), φ(o')), so that a name which is like many others counts less;
    (4) score(a) = Σ_{o ∈ top-T of a} u(o) near'(a, o) p(o|v), T = 100.

    Exact: (1) and the top-T of the action. Approximated: the paper's formulas of the priors were
    not found, (2) and (3) are this project's reading of what they are for; its third prior, basic-
    level names, needs WordNet and is left out, as are several languages and boxes.
    """

    label = "OPCL"
    approximates = "style: own formulas of two priors; one language; no naming prior, no boxes"

    top: int = 100  # T; published
    neighbours: int = 5  # of (3); not published

    def embed_video(self, batch: Batch) -> Tensor:
        """Return p(o|v) u(o), [B,O]."""
        return super().embed_video(batch) * self._certain()

    def embed_class(self, classes: Classes) -> Tensor:
        """Return near' of the top-T objects of each class, [K,O]."""
        near = self.similarity(classes)
        positive = near.clamp(min=0)
        others = (positive.sum(0) - positive) / max(len(near) - 1, 1)
        return keep_top(near - others, self.top)

    def _certain(self) -> Tensor:
        """Return u [O] of equation (3); 0 for an object without a word vector."""
        unit = F.normalize(self.object_vectors, dim=-1)
        like = (unit @ unit.T).clamp(min=0)
        like.fill_diagonal_(0)
        nearest = like.topk(min(self.neighbours, len(like)), dim=-1).values
        return (1 - nearest.mean(-1)).clamp(min=0) * unit.any(-1)
