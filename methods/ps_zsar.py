"""PS-ZSAR (Kerrigan et al., NeurIPS 2021): a learned score of a video and a class."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.method import Batch, Classes, Context, Loss, Method, over_clips

_PAIRS = 16_384  # scored at a time, which bounds memory


class PSZSAR(Method):
    """E2E's pipeline, but the match of video and class is a network, not the nearest vector.

    v = Linear(g(x)) [W] is a video's embedding, averaged over clips, c the class vector at unit
    length (numbered here): (1) score(x, c) = MLP([v; c]), 2W → H → 1, ReLU; (2) L = CE of the
    scores over all seen classes, target y.

    Exact: E2E's visual network and a pairwise score that is trained with it. Approximated: the
    paper's text was not at hand. Its authors' network, read after these rows were measured, embeds
    both sides, multiplies the unit vectors entry by entry and scores the product by a network; here
    the two are concatenated. The softmax over seen classes is theirs.
    """

    label = "PS-ZSAR"
    approximates = "form of the pairwise network and its loss inferred"

    def build(self, ctx: Context) -> None:
        """Make g, the projection and the pairwise network."""
        self.g = ctx.backbone()
        self.f = nn.Linear(ctx.backbone_dim, ctx.word_dim)
        self.of_video = nn.Linear(ctx.word_dim, ctx.head)
        self.of_class = nn.Linear(ctx.word_dim, ctx.head, bias=False)
        self.last = nn.Linear(ctx.head, 1)

    def embed_video(self, batch: Batch) -> Tensor:
        """Return v [B,W]."""
        return over_clips(lambda clips: self.f(self.g(clips)), batch.video)

    def embed_class(self, classes: Classes) -> Tensor:
        """Return c [K,W]."""
        return F.normalize(classes.vectors, dim=-1)

    def score(self, video: Tensor, classes: Tensor) -> Tensor:
        """Equation (1), [B,K]; the first layer is split into its two halves."""
        left, right = self.of_video(video), self.of_class(classes)
        size = max(1, _PAIRS // max(len(classes), 1))
        rows = [
            self.last(F.relu(part[:, None] + right[None])).squeeze(-1) for part in left.split(size)
        ]
        return torch.cat(rows)

    def loss(self, batch: Batch, seen: Classes) -> Loss:
        """Equation (2)."""
        scores = self.score(self.embed_video(batch), self.embed_class(seen))
        loss = F.cross_entropy(scores, batch.y)
        return loss, {"L_pair": loss}
