"""A backbone for embedding alone: batch normalisations folded into the convolutions before them."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from bench.models.r2plus1d import R2Plus1D

VOXELS = 16 * 112 * 112  # of the clips that go through the early stages together on a CPU
EARLY = 2  # stages, whose activations are large; the later ones have large weights


def folded(net: R2Plus1D, dtype: torch.dtype = torch.float32) -> Callable[[Tensor], Tensor]:
    """Return what maps float clips [B,3,T,H,W] to the features [B,dim] of ``net`` in eval mode.

    Equal to ``net`` up to rounding in float32, and to three digits in bfloat16, in which a CPU with
    AMX or AVX512-BF16 multiplies several times as fast. A copy: ``net`` may train on meanwhile.

    On a CPU few clips at a time go through the early stages: their activations then stay near the
    processor, in memory that is used again instead of asked of the system for every layer.
    """
    quick = copy.deepcopy(net).eval()
    last: dict[nn.Module, tuple[nn.Sequential, int]] = {}  # a sequence -> its last convolution
    for place in reversed([m for m in quick.modules() if isinstance(m, nn.Sequential)]):
        for i, module in enumerate(place):
            if isinstance(module, nn.Conv3d):
                last[place] = place, i
            elif isinstance(module, nn.Sequential) and module in last:
                last[place] = last[module]
            elif isinstance(module, nn.modules.batchnorm._BatchNorm):
                where, at = last[place]
                where[at] = fuse_conv_bn_eval(where[at], module)  # type: ignore[type-var]
                place[i] = nn.Identity()
    # Weights in the clips' layout: that of a single clip is ambiguous, and would be guessed wrong.
    layout = torch.channels_last_3d
    quick = quick.requires_grad_(False).to(dtype).to(memory_format=layout)
    stages = [quick.get_submodule(f"layer{stage}") for stage in range(1, quick.stages + 1)]
    early, late = nn.Sequential(quick.stem, *stages[:EARLY]), nn.Sequential(*stages[EARLY:])

    def features(clips: Tensor) -> Tensor:
        on_cpu = clips.device.type == "cpu"
        size = max(1, VOXELS // clips.shape[2:].numel()) if on_cpu else len(clips)
        parts = [early(part.to(dtype, memory_format=layout)) for part in torch.split(clips, size)]
        found: Tensor = late(torch.cat(parts)).mean(dim=(2, 3, 4))
        return found.to(clips.dtype)

    return features


@contextmanager
def quick_backbones(method: nn.Module, dtype: torch.dtype) -> Iterator[None]:
    """Let every R(2+1)D of ``method`` compute by its folded copy within the block."""
    nets = [net for net in method.modules() if isinstance(net, R2Plus1D)]
    try:
        for net in nets:
            net.forward = folded(net, dtype)  # type: ignore[method-assign, assignment]
        yield
    finally:
        for net in nets:
            vars(net).pop("forward", None)
