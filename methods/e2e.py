"""E2E (Brattoli et al., CVPR 2020): a video network trained end to end into the word space."""

from torch import Tensor, nn
from torch.nn import functional as F

from bench.losses import squared_error
from bench.method import Batch, Classes, Context, Loss, Method


class E2E(Method):
    """One linear layer on the pooled features of a network that is trained from scratch.

    g(x) are the backbone's features, averaged over a video's clips, c_y the class vector (numbered
    here): (1) v = Linear(dropout(g(x))), D → 300; (2) L = mean over the batch and the 300
    dimensions of (v/‖v‖ − c_y/‖c_y‖)²; (3) score(x, c) = cos(v, c).

    Exact: the network, the loss and the score; input and schedule are the profile's (profile
    `paper` has the published ones for this row). The dropout of 0.05 belongs to the backbone; for
    data sets of features it is applied here.
    """

    label = "E2E"

    def build(self, ctx: Context) -> None:
        """Make g and the linear layer."""
        self.g = ctx.backbone()
        bare = bool(ctx.dims.get("video", 0))
        self.dropout = nn.Dropout(0.05) if bare else nn.Identity()
        self.f = nn.Linear(ctx.backbone_dim, ctx.word_dim)

    def embed_video(self, batch: Batch) -> Tensor:
        """Return v at unit length, [B,W]; linear, so clips are averaged before the layer."""
        flat = self.g(batch.video.flatten(0, 1))
        mean = flat.view(*batch.video.shape[:2], -1).mean(1)
        return F.normalize(self.f(self.dropout(mean)), dim=-1)

    def loss(self, batch: Batch, seen: Classes) -> Loss:
        """Equation (2)."""
        loss = squared_error(self.embed_video(batch), seen.vectors[batch.y], "mean")
        return loss, {"L_MSE": loss}
