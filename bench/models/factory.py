"""The visual backbone that a profile's network block describes."""

from collections.abc import Callable

from torch import nn

from bench.config.schema import Network
from bench.models.r2plus1d import R2Plus1D


def new_backbone(network: Network, feature_dim: int) -> tuple[Callable[[], nn.Module], int]:
    """Return what makes a backbone and its output dimension; features [N,D] pass as they are."""
    if feature_dim:
        return nn.Identity, feature_dim
    return lambda: R2Plus1D(
        network.widths,
        network.blocks,
        network.stem,
        network.stem_stride,
        network.align,
        network.dropout,
    ), network.widths[-1]
