"""Learned visual class centres W and the losses that use them."""

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from bench.losses import Law, alignment_floor, mean_cosine, mixing, nce, synthesise
from bench.method import Context
from bench.models.released_names import Released
from bench.models.towers import Joint

Init = Literal["uniform", "normal"]
Anchor = Literal["semantic", "visual"]


class Centred(Joint):
    """The base of AURL: both sides are learned, with a visual centre W_k for each seen class."""

    released: ClassVar[Released] = Released(
        names={
            "g.": "encode.0.",
            "f_v.": "encode.1.",
            "f_s.regressor.": "encode_words.0.regressor.",
            "f_s.mlp.": "encode_words.1.",
            "W": "classifier.weight",
        },
        copies={
            "backbone.": "encode.0.",
            "projection.": "encode.1.",
            "backbone_words.": "encode_words.0.",
            "projection_words.": "encode_words.1.",
        },
        unused={
            "encode.0.regressor.weight": ("words", "features"),
            "encode.0.regressor.bias": ("words",),
            "classifier_txts.weight": ("classes", "head"),
        },
        dims={
            "classes": ("classifier.weight", 0),
            "head": ("classifier.weight", 1),
            "features": ("encode.1.l1.0.weight", 1),
            "words": ("encode_words.0.regressor.weight", 1),
        },
    )
    lam: float = 10.0
    w_init: Init = "uniform"  # U(0,1) as released; "normal": N(0, 0.05²)
    us_anchor: Anchor = "semantic"  # "visual" is the poster's direction of L_US

    def build(self, ctx: Context) -> None:
        """Add the visual class centres W [K,D] to g, f_v and f_s."""
        super().build(ctx)
        draw = torch.rand if self.w_init == "uniform" else torch.randn
        scale = 1.0 if self.w_init == "uniform" else 0.05
        self.W = nn.Parameter(scale * draw(len(ctx.seen), ctx.head))


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
