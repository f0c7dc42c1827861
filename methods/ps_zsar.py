"""PS-ZSAR (Kerrigan et al., NeurIPS 2021): a learned score for pairs of video and class."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.method import Batch, Classes, Context, Loss, Method, over_clips

_PAIRS = 16_384  # scored at once, to limit memory


class PSZSAR(Method):
    """E2E's pipeline, but a network scores pairs of video and class, instead of the cosine.

    g(x) are the backbone's features, averaged over a video's clips, c the class vector at unit
    length, a hat for unit length (numbered here): (1) v = hat(FC(dropout(g(x)))) [H];
    (2) t = hat(FC(hat(FC(ReLU(FC(c)))))) [H], W → H → 600 → H; (3) score(x, c) =
    FC(dropout(ReLU(FC(v ∘ t)))), H → H/2 → 1, with ∘ entry by entry; (4) L = CE of the scores over
    all seen classes, target y.

    Exact: layers, product, dropout (0.05 on the features, the backbone's own where it sees clips;
    0.1 in the pair) and loss, as the authors' released network and settings have them; the paper's
    text was not available. Approximated: H is the width of the profile's heads (1024 released). The
    released network also takes sentence vectors of the classes; here they are word vectors.
    """

    label = "PS-ZSAR"
    approximates = "layer widths are the profile's"

    text_width: int = 600  # published, in the released code

    def build(self, ctx: Context) -> None:
        """Make g, both sides and the pairwise network."""
        h, text = ctx.head, self.text_width
        self.g = ctx.backbone()
        self.dropout = nn.Dropout(0.05 if ctx.dims.get("video") else 0.0)
        self.of_video = nn.Linear(ctx.backbone_dim, h)
        self.of_class = nn.Sequential(nn.Linear(ctx.word_dim, h), nn.ReLU(), nn.Linear(h, text))
        self.joint = nn.Linear(text, h)
        last = nn.Linear(h // 2, 1)
        self.pair = nn.Sequential(nn.Linear(h, h // 2), nn.ReLU(), nn.Dropout(0.1), last)

    def embed_video(self, batch: Batch) -> Tensor:
        """Return v [B,H] of equation (1)."""
        features = self.dropout(over_clips(self.g, batch.video))
        return F.normalize(self.of_video(features), dim=-1)

    def embed_class(self, classes: Classes) -> Tensor:
        """Return t [K,H] of equation (2)."""
        text = self.of_class(F.normalize(classes.vectors, dim=-1))
        return F.normalize(self.joint(F.normalize(text, dim=-1)), dim=-1)

    def score(self, video: Tensor, classes: Tensor) -> Tensor:
        """Equation (3), [B,K]."""
        size = max(1, _PAIRS // max(len(classes), 1))
        rows = [self.pair(part[:, None] * classes).squeeze(-1) for part in torch.split(video, size)]
        return torch.cat(rows)

    def loss(self, batch: Batch, seen: Classes) -> Loss:
        """Equation (4)."""
        scores = self.score(self.embed_video(batch), self.embed_class(seen))
        loss = F.cross_entropy(scores, batch.y)
        return loss, {"L_pair": loss}
