"""Objects2action (Jain et al., ICCV 2015): actions from objects, without training."""

from torch import Tensor

from bench.method import Batch, Classes
from bench.models.objects import ObjectBased, keep_top


class Objects2Action(ObjectBased):
    """The objects seen in a video vote for the actions whose names are near theirs.

    p(o) is the classifier's probability of object o, averaged over frames, s(·) a name's averaged
    word vector at unit length (numbered here):
    (1) score(z) = Σ_{o ∈ top-T of the video} p(o) s(o)ᵀ s(z), T = 100.

    An object without a word vector adds nothing. Exact: the algorithm with averaged word vectors.
    Approximated: the object bank and the vectors are the profile's; the paper has 15,293 ImageNet
    classes, 500-d skip-gram vectors of photo tags, and also Fisher vectors of words.
    """

    label = "Objects2action"
    approximates = "other object bank and word vectors"

    top: int = 100  # T; published

    def embed_video(self, batch: Batch) -> Tensor:
        """Return p [B,O] with its T largest values alone."""
        return keep_top(super().embed_video(batch), self.top)

    def embed_class(self, classes: Classes) -> Tensor:
        """Return s(o)ᵀ s(z), [K,O]."""
        return self.similarity(classes)
