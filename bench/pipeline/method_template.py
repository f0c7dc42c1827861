"""my_method: say what it claims and cite it."""

from torch import Tensor

from bench.losses import nce
from bench.method import Batch, Classes, Context, Loss, Method, over_clips
from bench.models.heads import MLP


class MyMethod(Method):
    """Equations and source go here. Imports come from torch and bench only."""

    label = "My method"  # the row's name in the tables
    # needs = ("clips",) if pre-extracted features will not do
    # files = ("prompts.json",) if it reads data files; paths are relative to this file

    # Annotated names are parameters: set them in params.yaml under methods.my_method.
    lam: float = 10.0

    def build(self, ctx: Context) -> None:
        """Create the modules; the harness seeds, moves and trains them."""
        self.g = ctx.backbone()
        self.f_v = MLP(ctx.backbone_dim, ctx.head, ctx.word_dim)

    def embed_video(self, batch: Batch) -> Tensor:
        """Return [B,D]; batch.video is [B,n,3,T,H,W], or [B,n,D] where only features are there."""
        return over_clips(lambda clips: self.f_v(self.g(clips)), batch.video)

    def embed_class(self, classes: Classes) -> Tensor:
        """Return [K,D]; the score is the cosine with the video, unless you define score()."""
        return classes.vectors

    def loss(self, batch: Batch, seen: Classes) -> Loss:
        """Return the scalar to minimise and its named parts for the log; batch.y is [B]."""
        loss = nce(self.embed_video(batch), self.embed_class(seen), batch.y, self.lam)
        return loss, {"L_S": loss}
