"""MUFI (Qiu et al., CVPR 2021): one embedding from a video's own label and from other facets."""

import torch
from torch import Tensor
from torch.nn import functional as F

from bench.errors import UserError
from bench.losses import nce
from bench.method import Batch, Classes, Context, Loss, over_clips
from bench.models.heads import MLP
from bench.models.towers import FixedWords


class MUFI(FixedWords):
    """A visual-semantic embedding from a video's label (intra-facet) and objects (inter-facet).

    A clip x has the features g(x). Two heads map them into the word space, u = f_v(g(x)) and
    r = f_r(g(x)), both [W]; c_k are the class vectors, w_o those of the O objects at unit length,
    p(o) the object's mean probability over the video's frames. (Numbered here.)

    (1) intra-facet: L_intra = cross-entropy of λ·cos(u, c_k) over all seen classes k, target y.
    (2) the text suggested by the other facet: q = Σ_o p(o) w_o / ‖Σ_o p(o) w_o‖.
    (3) inter-facet: L_inter = mean of 1 − cos(r, q) over the videos whose q is not zero.
    (4) L = L_intra + μ L_inter.
    (5) video embedding: (1 − s) u/‖u‖ + s r/‖r‖, scored by its cosine with c_k.

    An object without a word vector does not contribute to q. Without objects, L = L_intra and the
    embedding is u, which is the row "Base w/ L_S".

    Exact: nothing is claimed. That one network learns from a video's own label and from the text
    that other data sets' labels suggest for it is the paper's idea.
    Approximated: the paper trains on four video and two image data sets, whose classifiers give the
    inter-facet supervision of each other's videos; here there are one training set and, in the
    place of all others, the object bank. The forms of (1), (3), (4) and (5), λ, μ and s are
    inferred from the abstract; class vectors replace encoded label texts.
    """

    label = "MUFI"
    needs = ("video",)
    wants = ("objects",)
    approximates = "style: one training set, the object bank as the only other facet"
    whole_batch = True  # L_inter is a mean over the videos with objects

    lam: float = 10.0  # λ, not published
    inter_weight: float = 1.0  # μ, not published
    inter_share: float = 0.5  # s, the second head's part of the video embedding; not published

    object_vectors: Tensor

    def build(self, ctx: Context) -> None:
        """Make g and f_v and, if there are objects, f_r: backbone_dim → word_dim."""
        super().build(ctx)
        objects = ctx.objects if "objects" in ctx.dims else None
        self.has_objects = objects is not None
        if objects is None:
            return
        if not objects.vectors.any():
            raise UserError("MUFI: no object name has a word vector; use other objects")
        self.register_buffer("object_vectors", F.normalize(objects.vectors, dim=-1))
        self.f_r = MLP(ctx.backbone_dim, ctx.head, ctx.word_dim)

    def loss(self, batch: Batch, seen: Classes) -> Loss:
        """Equation (4)."""
        u, r = self._heads(batch)
        l_intra = nce(u, seen.vectors, batch.y, self.lam)
        if r is None:
            return l_intra, {"L_intra": l_intra}
        q = batch.inputs["objects"].mean(1) @ self.object_vectors
        suggested = q.any(-1)
        apart = (1 - F.cosine_similarity(r, q, dim=-1)) * suggested
        l_inter = apart.sum() / suggested.sum().clamp(min=1)
        return l_intra + self.inter_weight * l_inter, {"L_intra": l_intra, "L_inter": l_inter}

    def embed_video(self, batch: Batch) -> Tensor:
        """Return equation (5), [B,W]."""
        u, r = self._heads(batch)
        if r is None:
            return u
        s = self.inter_share
        return (1 - s) * F.normalize(u, dim=-1) + s * F.normalize(r, dim=-1)

    def _heads(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        if not self.has_objects:
            return super().embed_video(batch), None

        def both(clips: Tensor) -> Tensor:
            features = self.g(clips)
            return torch.cat([self.f_v(features), self.f_r(features)], -1)

        u, r = over_clips(both, batch.video).chunk(2, dim=-1)
        return u, r
