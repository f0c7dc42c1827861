"""Action2Vec (Hahn et al., 2019): a hierarchical recurrent network into the word space."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.method import Batch, Classes, Context, Loss, Method


class Action2Vec(Method):
    """Map segments through two levels of LSTM with soft attention to the class's word vector.

    f_i are the features of n segments at unit length, reduced to 500 (numbered here): (1) h =
    LSTM₁(f), one state per segment; (2) u = LSTM₂ over groups of 4 states, each group's mean; (3) v
    = FC(dropout(Σ_j a_j u_j)), → 300, with a_j = softmax_j(w·tanh(u_j)); (4) L = Σ_{c ≠ y} max(0, Δ
    − cos(v, c_y) + cos(v, c)) + μ CE(softmax layer on v), over the seen classes; (5) score(x, c) =
    cos(v, c).

    One segment is enough. Exact: two levels of LSTM, soft attention, a dropout of 0.5, pairwise
    ranking plus cross-entropy, cosine. Approximated: the profile's features instead of 52 segments
    of C3D; a learned linear layer to 500 instead of PCA; the LSTM's width is the profile's head
    (1024 in the paper). Inferred, because the text of the paper was not available: how (2) groups
    states (according to others its first LSTM restarts for each subsequence), the places of
    attention and dropout, Δ, and μ, which the paper is said to change during training.
    """

    label = "Action2Vec"
    needs = ("features",)
    approximates = "other features; learned layer instead of PCA; LSTM width; margin, weight"

    margin: float = 0.2  # Δ; not published here
    weight: float = 1.0  # μ; not published here
    reduced: int = 500  # published
    group: int = 4  # first-level states per step of the second; not published here

    def build(self, ctx: Context) -> None:
        """Make both levels, the attention and the two outputs."""
        h = ctx.head
        self.reduce = nn.Linear(ctx.dims["features"], self.reduced)
        self.first = nn.LSTM(self.reduced, h, batch_first=True)
        self.second = nn.LSTM(h, h, batch_first=True)
        self.attend = nn.Linear(h, 1, bias=False)
        self.out = nn.Sequential(nn.Dropout(0.5), nn.Linear(h, ctx.word_dim))
        self.classify = nn.Linear(ctx.word_dim, len(ctx.seen))

    def embed_video(self, batch: Batch) -> Tensor:
        """Return v [B,W]."""
        states = self.first(self.reduce(F.normalize(batch.inputs["features"], dim=-1)))[0]
        groups = torch.stack([part.mean(1) for part in states.split(self.group, dim=1)], 1)
        u = self.second(groups)[0]
        share = self.attend(u.tanh()).softmax(1)
        v: Tensor = self.out((share * u).sum(1))
        return v

    def loss(self, batch: Batch, seen: Classes) -> Loss:
        """Equation (4)."""
        v = self.embed_video(batch)
        cosine = F.normalize(v, dim=-1) @ F.normalize(seen.vectors, dim=-1).T
        own = cosine.gather(1, batch.y[:, None])
        hinge = (self.margin - own + cosine).clamp(min=0)
        l_rank = hinge.scatter(1, batch.y[:, None], 0.0).sum(1).mean()
        l_ce = F.cross_entropy(self.classify(v), batch.y)
        return l_rank + self.weight * l_ce, {"L_rank": l_rank, "L_CE": l_ce}
