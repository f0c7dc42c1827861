"""The two networks that AURL and its ablations share; a method adds its losses."""

from torch import Tensor

from bench.method import Batch, Classes, Context, Method, over_clips
from bench.models.heads import MLP, TextNet

_REGRESSED = 512  # f_s starts with Linear(300 → 512) for every width of the heads


class FixedWords(Method):
    """Only the visual side is learned: v = f_v(g(x)) in the space of the fixed class vectors c."""

    def build(self, ctx: Context) -> None:
        """Make g and f_v: backbone_dim → word_dim."""
        self.g = ctx.backbone()
        self.f_v = MLP(ctx.backbone_dim, ctx.head, ctx.word_dim)

    def embed_video(self, batch: Batch) -> Tensor:
        """Return v [B,W], mean over clips."""
        return over_clips(lambda clips: self.f_v(self.g(clips)), batch.video)


class Joint(Method):
    """Both sides are learned ("e2e"): v = f_v(g(x)) and s = f_s(c) in a common learned space."""

    def build(self, ctx: Context) -> None:
        """Make g, f_v: backbone_dim → head, and f_s: word_dim → head."""
        self.g = ctx.backbone()
        self.f_v = MLP(ctx.backbone_dim, ctx.head, ctx.head)
        self.f_s = TextNet(ctx.word_dim, _REGRESSED, ctx.head, ctx.head)

    def embed_video(self, batch: Batch) -> Tensor:
        """Return v [B,D], mean over clips."""
        return over_clips(lambda clips: self.f_v(self.g(clips)), batch.video)

    def embed_class(self, classes: Classes) -> Tensor:
        """Return s [K,D]; in training the batch norms of f_s see all K seen classes."""
        s: Tensor = self.f_s(classes.vectors)
        return s
