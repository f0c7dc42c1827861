"""DEM (Zhang, Xiang and Gong, CVPR 2017): class vectors mapped into the visual space."""

from torch import Tensor, nn
from torch.nn import functional as F

from bench.method import Batch, Classes, Context, Loss, Method
from bench.typing import Share


class DEM(Method):
    """The visual space is the embedding space, which makes fewer classes hubs.

    x [D] is a video's mean feature at unit length, s_c the class vector (numbered here):
    (1) f(s) = ReLU(W₂ ReLU(W₁ s)), W → H → D; (2) L = mean over the batch of ‖x − f(s_y)‖²;
    (3) the predicted class is the one whose f(s) is nearest to x in Euclidean distance.

    Exact: the two layers with their ReLUs, the squared error, the nearest neighbour. Approximated:
    the features are the profile's, at unit length; the hidden layer is as wide as the profile's
    heads (512 in ER's released comparison, without biases; there x is not normalised, and s has a
    dropout of 0.5: ``unit_features: false, dropout: 0.5``). The paper's regulariser is the weight
    decay of the schedule: none if that is 0.
    """

    label = "DEM"
    needs = ("features",)
    approximates = "other clip feature, at unit length"

    unit_features: bool = True
    dropout: Share = 0.0  # of s in training

    def build(self, ctx: Context) -> None:
        """Make f."""
        first, last = nn.Linear(ctx.word_dim, ctx.head), nn.Linear(ctx.head, ctx.dims["features"])
        self.f = nn.Sequential(nn.Dropout(self.dropout), first, nn.ReLU(), last, nn.ReLU())

    def embed_video(self, batch: Batch) -> Tensor:
        """Return x [B,D]."""
        x = batch.inputs["features"].mean(1)
        return F.normalize(x, dim=-1) if self.unit_features else x

    def embed_class(self, classes: Classes) -> Tensor:
        """Return f(s) [K,D]."""
        mapped: Tensor = self.f(classes.vectors)
        return mapped

    def score(self, video: Tensor, classes: Tensor) -> Tensor:
        """Return ‖x‖² − ‖x − f(s)‖² [B,K]; ‖x‖² does not change the ranking."""
        return 2 * video @ classes.T - classes.square().sum(-1)

    def loss(self, batch: Batch, seen: Classes) -> Loss:
        """Equation (2)."""
        apart = self.embed_video(batch) - self.embed_class(seen)[batch.y]
        loss = apart.square().sum(-1).mean()
        return loss, {"L_MSE": loss}
