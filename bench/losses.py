"""Losses of AURL and the class generator, as in the released code (λ = 10, all weights 1)."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

Law = Literal["uniform", "symmetric", "pairwise", "identity"]


def nce(a: Tensor, b: Tensor, target: Tensor, lam: float = 10.0) -> Tensor:
    """Cross-entropy of λ·cos(a_i, b_j) against ``target``: a [N,D], b [K,D], target [N] → scalar.

    This is the poster's L_sup, λ·SP_λ(−sim(a,b_y) + (1/λ)·LSE({λ·sim(a,b_j)}_{j≠y})).
    """
    return F.cross_entropy(lam * cosines(a, b), target)


def cosines(a: Tensor, b: Tensor) -> Tensor:
    """Return cos(a_i, b_j) [N,K] of a [N,D] and b [K,D].

    Synthetic classes differ by 2e-4 in cosine (K = 662, U[0,1)), but bfloat16 has steps of 4e-3.
    Under autocast only the deviations from the means m of a and n of b are multiplied:
    a_i·b_j = (a_i − m)·(b_j − n) + a_i·n + m·(b_j − n).
    """
    if not torch.is_autocast_enabled(a.device.type):
        return F.normalize(a, dim=-1) @ F.normalize(b, dim=-1).T
    a, b = F.normalize(a.float(), dim=-1), F.normalize(b.float(), dim=-1)
    m, n = a.detach().mean(0), b.detach().mean(0)
    b = b - n
    return (a - m) @ b.T + (a * n).sum(-1, keepdim=True) + (b * m).sum(-1)


def squared_error(a: Tensor, b: Tensor, reduction: Literal["sum", "mean"] = "sum") -> Tensor:
    """E2E's loss between L2-normalised a [N,D] and b [N,D]; mean over N, then sum or mean over D.

    E2E also takes the mean over D, but trains with Adam, which is invariant to the scale. With SGD
    the mean would scale the gradient by 1/D, so the sum is the default here.
    """
    distance = (F.normalize(a, dim=-1) - F.normalize(b, dim=-1)).square()
    return distance.sum(-1).mean() if reduction == "sum" else distance.mean()


def mixing(law: Law, classes: int, like: Tensor) -> Tensor:
    """Draw a matrix A [K,K] of the class generator on the device of ``like``; once per step.

    uniform: U[0,1), as released (conic combinations). symmetric: U(−1,1), which also extrapolates.
    pairwise: each row mixes two random classes, one with weight U(0,1), the other with the rest.
    identity: no generator; the "synthetic" classes are the seen ones.
    """
    if law == "identity":
        return torch.eye(classes, dtype=like.dtype, device=like.device)
    draw = torch.rand(classes, classes, dtype=like.dtype, device=like.device)
    if law == "uniform":
        return draw
    if law == "symmetric":
        return 2 * draw - 1
    pairs = draw.argsort(dim=1)[:, :2]
    share = torch.rand(classes, 1, dtype=like.dtype, device=like.device)
    weights = torch.cat([share, 1 - share], dim=1)
    return torch.zeros_like(draw).scatter(1, pairs, weights)


def synthesise(mix: Tensor, anchors: Tensor) -> Tensor:
    """Return K synthetic classes A·normalize(anchors): mix [K,K], anchors [K,D] → [K,D]."""
    return mix @ F.normalize(anchors, dim=-1)


def alignment_floor(classes: Tensor, lam: float = 10.0) -> Tensor:
    """Return nce(Θ, Θ): the L_US of perfectly aligned synthetic classes, Z ≡ Θ [K,D].

    Alignment can bring L_US down to this value. It is not a lower bound: an anchor that moves away
    from its Θ in the direction in which the Θ differ has a lower loss.
    """
    return nce(classes, classes, torch.arange(len(classes), device=classes.device), lam)


def mean_cosine(classes: Tensor) -> Tensor:
    """Return the mean cosine between different rows of [K,D]; 1 means collapsed."""
    unit = F.normalize(classes.float(), dim=-1)  # float: under autocast the classes have 8 bits
    count = len(unit)
    return (unit.sum(0).square().sum() - count) / max(count * (count - 1), 1)
