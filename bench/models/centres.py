"""The learned visual class centres W and the losses that use them."""

from typing import Literal

import torch
from torch import Tensor, nn

from bench.losses import Law, alignment_floor, mean_cosine, mixing, nce, synthesise

Init = Literal["uniform", "normal"]
Anchor = Literal["semantic", "visual"]


def centres(classes: int, dim: int, init: Init) -> nn.Parameter:
    """Return W [K,D]: U(0,1) as released, or N(0, 0.05²)."""
    weight = torch.rand(classes, dim) if init == "uniform" else 0.05 * torch.randn(classes, dim)
    return nn.Parameter(weight)


def synthetic_loss(
    s: Tensor, w: Tensor, law: Law, anchor: Anchor, lam: float
) -> tuple[Tensor, dict[str, Tensor]]:
    """L_US between the synthetic classes Z = A·ŝ and Θ = A·Ŵ, from s and W [K,D].

    ``anchor`` semantic (released): softmax of each Z over the Θ; visual (poster): of each Θ over Z.
    Also returns L_US at perfect alignment ("floor") and the mean cosines of Z and Θ: near 1 the
    classes have collapsed, and alignment cannot bring L_US far below ln K.
    """
    mix = mixing(law, len(s), s)
    z, theta = synthesise(mix, s), synthesise(mix, w)
    order = torch.arange(len(s), device=s.device)
    anchors, others = (z, theta) if anchor == "semantic" else (theta, z)
    loss = nce(anchors, others, order, lam)
    with torch.no_grad():
        named = {
            "L_US": loss.detach(),
            "L_US_floor": alignment_floor(others, lam),
            "cos_Z": mean_cosine(z),
            "cos_Theta": mean_cosine(theta),
        }
    return loss, named
