"""The R(2+1)D visual backbone, and a faster copy of it that only embeds.

By default it is torchvision's ``r2plus1d_18`` without ``fc``.

Tran et al., "A Closer Look at Spatiotemporal Convolutions for Action Recognition", CVPR 2018.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.utils.checkpoint import checkpoint

from bench.config.schema import Network
from bench.models.released_names import Released

VOXELS = 16 * 112 * 112  # size of the part that goes through the early stages at once on a CPU
EARLY = 2  # stages with large activations; the later ones have large weights


class FactorisedConv3d(nn.Conv3d):
    """A ``1×k×k``, ``k×1×1`` or ``1×1×1`` convolution, computed by ``conv2d``.

    It has no bias until ``folded`` merges a batch normalisation into it.

    Weights and result are those of ``nn.Conv3d`` (up to rounding). With channels_last_3d input
    both views are free; on a CPU the gain over ``nn.Conv3d`` is a few percent at most.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: tuple[int, int, int], stride: tuple[int, int, int]
    ) -> None:
        """Pad to keep the size at stride 1; initialise like torchvision (Kaiming, fan out)."""
        padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
        super().__init__(inputs, outputs, kernel, stride, padding, bias=False)
        nn.init.kaiming_normal_(self.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, inputs, T, H, W]`` to ``[B, outputs, T', H', W']``."""
        (time, rows, _), (every, step, _) = self.kernel_size, self.stride
        if time == 1:
            frames = x[:, :, ::every].transpose(1, 2)
            y = F.conv2d(
                frames.flatten(0, 1), self.weight.squeeze(2), self.bias, step, padding=rows // 2
            )
            return y.reshape(*frames.shape[:2], *y.shape[1:]).transpose(1, 2)
        y = F.conv2d(
            x.flatten(3), self.weight.squeeze(4), self.bias, (every, 1), padding=(time // 2, 0)
        )
        return y.reshape(*y.shape[:3], *x.shape[3:])


def _conv2plus1d(inputs: int, outputs: int, mid: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        FactorisedConv3d(inputs, mid, (1, 3, 3), (1, stride, stride)),
        nn.BatchNorm3d(mid),
        nn.ReLU(inplace=True),
        FactorisedConv3d(mid, outputs, (3, 1, 1), (stride, 1, 1)),
    )


class Block(nn.Module):
    """A residual block of two (2+1)D convolutions, the first with ``stride`` in time and space."""

    def __init__(self, inputs: int, outputs: int, stride: int, align: int = 1) -> None:
        """Take as many mid planes as give a (2+1)D convolution the parameters of a 3×3×3 one.

        They are rounded down to a multiple of ``align``.
        """
        super().__init__()
        mid = (inputs * outputs * 27) // (inputs * 9 + 3 * outputs)
        mid = max(mid // align, 1) * align
        self.conv1 = nn.Sequential(
            _conv2plus1d(inputs, outputs, mid, stride),
            nn.BatchNorm3d(outputs),
            nn.ReLU(inplace=True),
        )
        self.conv2 = nn.Sequential(_conv2plus1d(outputs, outputs, mid, 1), nn.BatchNorm3d(outputs))
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                FactorisedConv3d(inputs, outputs, (1, 1, 1), (stride, stride, stride)),
                nn.BatchNorm3d(outputs),
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, inputs, T, H, W]`` to ``relu(f(x) + shortcut(x))``, ``outputs`` channels."""
        shortcut = x if self.downsample is None else self.downsample(x)
        y: Tensor = self.relu(self.conv2(self.conv1(x)).add_(shortcut))
        return y


class R2Plus1D(nn.Module):
    """Clips ``float [B, 3, T, H, W]`` to features ``[B, dim]``, ``dim = widths[-1]``."""

    released: ClassVar[Released] = (
        Released(  # torchvision's network as a sequence without its last layer
            {"stem.": "model.0.", **{f"layer{stage}.": f"model.{stage}." for stage in range(1, 5)}}
        )
    )

    def __init__(
        self,
        widths: Sequence[int] = (64, 128, 256, 512),
        blocks: Sequence[int] = (2, 2, 2, 2),
        stem_mid: int = 45,
        stem_stride: int = 2,
        align: int = 1,
        dropout: float = 0.05,
    ) -> None:
        """Build the net; the default arguments are the paper's.

        ``widths`` and ``blocks``: channels and residual blocks of the stages; a stage of 0 blocks
        is left out, and the next one still halves time and space. ``align``: mid planes are rounded
        down to a multiple of it (16 suits the vector units of a CPU when the net is narrow).
        ``dropout`` acts on the pooled features, in training only.
        """
        super().__init__()
        self.dim = widths[-1]
        self.stem = nn.Sequential(
            FactorisedConv3d(3, stem_mid, (1, 7, 7), (1, stem_stride, stem_stride)),
            nn.BatchNorm3d(stem_mid),
            nn.ReLU(inplace=True),
            FactorisedConv3d(stem_mid, widths[0], (3, 1, 1), (1, 1, 1)),
            nn.BatchNorm3d(widths[0]),
            nn.ReLU(inplace=True),
        )
        inputs = widths[0]
        for stage, (width, depth) in enumerate(zip(widths, blocks, strict=True), 1):
            layer = nn.Sequential()
            for _ in range(depth):
                stride = 1 if stage == 1 or len(layer) else 2
                layer.append(Block(inputs, width, stride, align))
                inputs = width
            self.add_module(f"layer{stage}", layer)
        self.stages = len(widths)
        self.chunk = 0
        self.dropout = nn.Dropout(dropout)

    def forward(self, clips: Tensor) -> Tensor:
        """Return the pooled features of a batch of clips.

        In training, more than ``chunk`` clips (0: no limit) go through the net in parts, and each
        part's activations are computed again for the gradient, so memory for one part is enough.
        Batch statistics are then computed per part.
        """
        if not (self.training and 0 < self.chunk < len(clips)):
            return self._features(clips)
        parts = [
            checkpoint(self._features, part, use_reentrant=False, context_fn=self._twice)
            for part in torch.split(clips, self.chunk)
        ]
        return torch.cat(parts)

    def _features(self, clips: Tensor) -> Tensor:
        x = self.stem(clips.contiguous(memory_format=torch.channels_last_3d))
        for stage in range(1, self.stages + 1):
            x = self.get_submodule(f"layer{stage}")(x)
        pooled: Tensor = self.dropout(x.mean(dim=(2, 3, 4)))
        return pooled

    def _twice(self) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        """Return the contexts of the first pass and of its repetition for the gradient."""
        return nullcontext(), self._statistics_kept()

    @contextmanager
    def _statistics_kept(self) -> Iterator[None]:
        """Keep batch normalisations from updating their running statistics."""
        norms = [m for m in self.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
        before = [norm.momentum for norm in norms]
        try:
            for norm in norms:
                norm.momentum = 0.0
            yield
        finally:
            for norm, momentum in zip(norms, before, strict=True):
                norm.momentum = momentum


def new_backbone(network: Network, feature_dim: int) -> tuple[Callable[[], nn.Module], int]:
    """Return a function that makes the profile's backbone, and its output dimension.

    With features [N,``feature_dim``] as input (0: clips) the backbone is the identity.
    """
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


def folded(net: R2Plus1D, dtype: torch.dtype = torch.float32) -> Callable[[Tensor], Tensor]:
    """Return a function that maps float clips [B,3,T,H,W] to features [B,dim] as ``net.eval()``.

    It is a copy of ``net`` with the batch normalisations folded into the convolutions before them:
    equal up to rounding in float32, and to three digits in bfloat16, in which a CPU with AMX or
    AVX512-BF16 multiplies several times as fast. Training ``net`` further does not change it.

    On a CPU only a few clips at a time go through the early stages, so that activations stay in the
    cache and memory is reused instead of allocated for every layer.
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
    # Set the layout of the weights: torch would guess it wrong from a single clip.
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
    """Within the block, let every R(2+1)D of ``method`` compute with its folded copy."""
    nets = [net for net in method.modules() if isinstance(net, R2Plus1D)]
    try:
        for net in nets:
            net.forward = folded(net, dtype)  # type: ignore[method-assign, assignment]
        yield
    finally:
        for net in nets:
            vars(net).pop("forward", None)
