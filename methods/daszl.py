"""DASZL (Kim et al., AAAI 2021): a class as an ordered signature of attributes, aligned in time."""

import torch
from torch import Tensor

from bench.errors import UserError
from bench.method import Batch, Classes
from bench.models.objects import ObjectBased


class DASZL(ObjectBased):
    """The best monotone alignment of a class's attributes with the frames of a video.

    q_i(o) is the probability of attribute o in frame i of n, a_1 … a_L the class's signature
    (numbered here): (1) score(c) = max over 1 = l_1 ≤ … ≤ l_n with steps of 0 or 1 of
    (1/n) Σ_i log q_i(a_{l_i}), ending at l_n = L where n ≥ L; a signature longer than the video is
    matched as far as the frames go. Solved by dynamic programming over frames.

    Exact: the ordered signature and its best alignment (Viterbi). Approximated: the published
    signature tables and attribute detectors were not found; signatures are a file that the user
    names, and the attributes are the profile's objects.
    """

    label = "DASZL"
    needs = ("objects", "signatures")
    approximates = "style: signatures of the user's, objects as attributes"

    floor: float = 1e-6  # smallest probability; not published

    def embed_video(self, batch: Batch) -> Tensor:
        """Return log q of the frames, flattened: [B,n·O]."""
        return batch.inputs["objects"].clamp(min=self.floor).log().flatten(1)

    def embed_class(self, classes: Classes) -> Tensor:
        """Return the signatures [K,L] as they are, −1 behind their end."""
        signatures = classes.inputs["signatures"]
        empty = (signatures < 0).all(-1)
        if empty.any():
            name = classes.names[int(empty.long().argmax())]
            raise UserError(f"DASZL: class '{name}' has an empty signature; add its attributes")
        return signatures.float()

    def score(self, video: Tensor, classes: Tensor) -> Tensor:
        """Equation (1), [B,K]."""
        frames = video.view(len(video), -1, len(self.names))  # [B,n,O]
        places = classes.long()
        there = places >= 0
        emitted = frames[:, :, places.clamp(min=0)].masked_fill(~there, -torch.inf)  # [B,n,K,L]
        best = torch.full_like(emitted[:, 0], -torch.inf)
        best[..., 0] = emitted[:, 0, :, 0]
        for i in range(1, frames.shape[1]):
            moved = torch.cat([torch.full_like(best[..., :1], -torch.inf), best[..., :-1]], -1)
            best = torch.maximum(best, moved) + emitted[:, i]
        last = torch.minimum(there.sum(-1), torch.tensor(frames.shape[1], device=video.device)) - 1
        end = best.gather(-1, last.expand(len(best), -1)[..., None])[..., 0]
        return end / frames.shape[1]
