"""Objects2action (Jain et al., ICCV 2015): actions from objects, without training."""

from torch import Tensor

from bench.method import Batch, Classes
from bench.models.objects import ObjectBased, keep_top
from bench.typing import Count


class Objects2Action(ObjectBased):
    """The objects seen in a video vote for the actions whose names are near theirs.

    p_v(y) is the classifier's probability of object y, averaged over the frames of video v; s(·) is
    the mean word vector of a name at unit length [W]. (Numbered here.)

    (1) affinity: g_yz = s(y)·s(z) of object y and action z.
    (2) action sparsity: ĝ_yz = g_yz of the T_z objects with the largest g_yz, else 0; T_z = 100.
    (3) video sparsity: p̂_v(y) = p_v(y) of the T_v objects with the largest p_v(y), else 0.
    (4) score(z) = Σ_y p̂_v(y) ĝ_yz.

    Objects without a word vector, and objects that only the input ``boxes`` has, are ignored, also
    in the rankings of (2) and (3).

    Exact: the algorithm, with averaged word vectors. T_v = 100 is this project's choice; a
    ``video_top`` above the number of objects disables (3).
    Approximated: object bank and word vectors are the profile's (the paper: 15,293 classes of
    ImageNet, 500-d skip-gram vectors of photo tags); its Fisher vectors of words are left out.
    """

    label = "Objects2action"
    approximates = "other object bank and word vectors"

    action_top: Count = 100  # T_z; published
    video_top: Count = 100  # T_v; not published

    def embed_video(self, batch: Batch) -> Tensor:
        """Return p̂ [B,O] of equation (3)."""
        return keep_top(super().embed_video(batch), self.video_top, self.ranked)

    def embed_class(self, classes: Classes) -> Tensor:
        """Return ĝ [K,O] of equation (2)."""
        return keep_top(self.similarity(classes), self.action_top, self.ranked)
