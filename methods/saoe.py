"""SAOE (Mettes and Snoek, ICCV 2017): spatial-aware object embeddings, without training."""

import torch
from torch import Tensor

from bench.method import Batch, Classes
from bench.models.objects import keep_top
from bench.models.tubes import Localised


class SAOE(Localised):
    """Objects near an action's name, in the whole video and where they should be beside a person.

    φ is a name's word vector at unit length (numbered here):
    (1) global(a) = Σ_{o ∈ top-T of a} cos(φ(a), φ(o)) p(o|v), T = 100;
    (2) of a person box b in a frame: s(b|a) = p(person|b) + w Σ_{o ∈ top-n of a} cos(φ(a), φ(o))
    p(o|b*) (1 − JSD(prior_o ‖ h(b*, b))), b* the most probable box of o within 25 pixels of b, h
    its histogram over b's nine tiles, n = w = 1;
    (3) tube(a) = the best mean of s(b|a) + overlap of consecutive boxes, one box a frame;
    (4) score(a) = global(a) + tube(a), or global(a) where the profile has no boxes.

    Exact: (1), (2). Approximated: the object bank, vectors and detector are the profile's; tubes
    are linked with the plain overlap (the paper's linking follows Gkioxari and Malik); without
    ``priors`` (object → nine shares, measured on MS-COCO in the paper) any place is as good.
    """

    label = "SAOE"
    wants = ("boxes",)
    approximates = "other object bank and vectors; boxes only where a detector's are there"

    top: int = 100  # T; published
    local_top: int = 1  # n; published
    weight: float = 1.0  # w; published
    reach: float = 25 / 320  # 25 pixels of a frame 320 wide; published in pixels
    priors: dict[str, list[float]] = {}

    def embed_class(self, classes: Classes) -> Tensor:
        """Return the similarities of (1) and of (2) side by side, [K,2·O]."""
        near = self.similarity(classes)
        return torch.cat([keep_top(near, self.top), keep_top(near, self.local_top)], -1)

    def embed_video(self, batch: Batch) -> Tensor:
        """Return p(o|v) and the boxes of n frames, flattened: [B,O + n·M·6]."""
        return self.with_boxes(super().embed_video(batch), batch)

    def score(self, video: Tensor, classes: Tensor) -> Tensor:
        """Equation (4), [B,K]."""
        count = len(self.names)
        globally = video[:, :count] @ classes[:, :count].T
        return globally + self.tubes(video[:, count:], classes[:, count:])
