"""DASZL (Kim et al., AAAI 2021): a class as an ordered signature of attributes, aligned in time."""

import torch
from torch import Tensor

from bench.errors import UserError
from bench.method import Batch, Classes, Context, Method
from bench.typing import Positive


class DASZL(Method):
    """The best monotone alignment of a class's attributes with the frames of a video.

    q_i(o) is the probability of attribute o in frame i of n, at least ε; a_1 … a_L is the ordered
    signature of class c. (Numbered here.)

    (1) n ≥ L: score(c) = max (1/n) Σ_i log q_i(a_{l(i)}) over all l with l(1) = 1, l(n) = L and
    l(i+1) − l(i) ∈ {0, 1}: each frame shows one attribute, in order, each attribute is shown.
    (2) n < L: score(c) = max (1/L) Σ_l log q_{i(l)}(a_l) over all i with i(1) = 1, i(L) = n and
    i(l+1) − i(l) ∈ {0, 1}: the frames take more than one attribute each, and none is left out.

    Both are solved by dynamic programming (Viterbi) and are the same at n = L. The order
    matters only if n > 1: with one frame the score is the mean log-probability of the attributes.

    Exact: nothing is claimed. That a class is a sequence of attributes, and its score the best path
    through it, is the paper's idea.
    Approximated: the published signatures and attribute detectors were not found. Signatures are
    the profile's, attributes are its objects, whose probabilities compete in a softmax. The paper
    composes finite state machines; here a state is one attribute and all transitions are alike. (2)
    and ε are this project's.
    """

    label = "DASZL"
    needs = ("objects", "signatures")
    learning = "none"
    approximates = "style: signatures and objects of the profile as attributes"

    floor: Positive = 1e-6  # ε, not published

    def build(self, ctx: Context) -> None:
        """Store the number O of attributes."""
        self.attributes = ctx.dims["objects"]

    def embed_video(self, batch: Batch) -> Tensor:
        """Return log q of the n frames, [B,n·O]."""
        return batch.inputs["objects"].clamp(min=self.floor).log().flatten(1)

    def embed_class(self, classes: Classes) -> Tensor:
        """Return the signatures [K,L], padded with −1 at the end."""
        signatures = classes.inputs["signatures"]
        empty = (signatures < 0).all(-1)
        if empty.any():
            name = classes.names[int(empty.long().argmax())]
            raise UserError(f"DASZL: class '{name}' has an empty signature; add its attributes")
        if int(signatures.max()) >= self.attributes:
            raise UserError(
                f"DASZL: signatures contain object {int(signatures.max())}, but there are only "
                f"{self.attributes}; run 'bench stage inputs'"
            )
        order = (signatures < 0).int().sort(dim=-1, stable=True).indices
        return signatures.gather(-1, order)

    def score(self, video: Tensor, classes: Tensor) -> Tensor:
        """Equations (1) and (2), [B,K]."""
        frames = video.view(len(video), -1, self.attributes)
        places = classes.long()
        lengths, n = (places >= 0).sum(-1), frames.shape[1]
        shown = frames[:, :, places.clamp(min=0)].transpose(1, 2)  # [B,K,n,L]
        paths = best_paths(shown, lengths.new_full(lengths.shape, n))
        ends = (lengths - 1).expand(len(video), -1).unsqueeze(-1)
        score = paths.gather(-1, ends).squeeze(-1) / n
        if (lengths > n).any():
            crowded = best_paths(shown.transpose(2, 3), lengths)[..., -1] / lengths
            score = torch.where(lengths > n, crowded, score)
        return score


def best_paths(values: Tensor, steps: Tensor) -> Tensor:
    """Return the best sum of a path that ends in each state: [B,K,S,R] → [B,K,R].

    A path starts in the first state and stays or moves to the next one at each of the first
    ``steps`` [K] of the S steps; −inf for states that these steps cannot reach.
    """
    best = torch.full_like(values[:, :, 0], -torch.inf)
    best[..., 0] = values[:, :, 0, 0]
    for i in range(1, values.shape[2]):
        moved = best.roll(1, dims=-1)
        moved[..., 0] = -torch.inf
        reached = torch.maximum(best, moved) + values[:, :, i]
        best = torch.where((i < steps).unsqueeze(-1), reached, best)
    return best
