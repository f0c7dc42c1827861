"""OPCL (Mettes, Thong and Snoek, IJCV 2021): object priors for unseen actions, without training."""

from torch import Tensor

from bench.method import Classes
from bench.models.tubes import Localised


class OPCL(Localised):
    """Weight objects by semantic priors and, with boxes, by spatial priors.

    φ(·) is the mean word vector of a name at unit length [W], p(o|v) the classifier's probability
    of object o, averaged over the frames of video v, A all classes of the data set, including
    those that a split does not test. (Numbered here.)

    (1) Ψ(o, a) = cos(φ(o), φ(a)).
    (2) discrimination: Ψ_d(o, a) = Ψ(o, a) − δ max of Ψ(o, c) over c ∈ A, c ≠ a; δ = 1. An object
    that also fits another action gets a small weight. With one class it is Ψ.
    (3) naming: Ψ_n(o, a) = ν^(words of o's name − 1) Ψ_d(o, a), ν = 1/2. Basic-level names ("dog",
    not "golden retriever") are mostly one word.
    (4) score(a) = Σ Ψ_n(o, a) p(o|v) over the T objects with the largest Ψ_n(o, a), T = 100, plus,
    with boxes, the best tube of people near relevant objects: SAOE's equations (2) to (4).

    Exact: (1), T and, given a detector, the spatial terms as in SAOE.
    Approximated: the formulas of the semantic priors were not found; (2) and (3) are this project's
    reading of their purpose. The paper's ambiguity prior sums Ψ over word vectors of several
    languages; with one there is nothing to sum. For naming the paper uses depth in WordNet. Object
    bank, word vectors and detector are the profile's.
    """

    label = "OPCL"
    approximates = "formulas of its semantic priors inferred; one language; other object bank"

    discrimination: float = 1.0  # δ, not published; 0 disables (2)
    naming: float = 0.5  # ν, not published; 1 disables (3)

    def relevance(self, classes: Classes) -> Tensor:
        """Return Ψ_n of equation (3), [K,O]."""
        near = self.similarity(classes)
        if len(near) > 1:
            best = near.topk(2, dim=0)
            other = best.values[0].expand_as(near).clone()  # of the classes but one
            other.scatter_(0, best.indices[:1], best.values[1:])
            near = near - self.discrimination * other
        words = near.new_tensor([len(name.replace("_", " ").split()) for name in self.names])
        return near * self.naming ** (words - 1).clamp(min=0)
