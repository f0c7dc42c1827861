"""The R(2+1)D visual backbone; by default torchvision's ``r2plus1d_18`` without ``fc``.

Tran et al., "A Closer Look at Spatiotemporal Convolutions for Action Recognition", CVPR 2018.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from bench.models.released_names import Released


class FactorisedConv3d(nn.Conv3d):
    """A ``1×k×k``, ``k×1×1`` or ``1×1×1`` convolution, computed by ``conv2d``.

    It has no bias until a batch normalisation is folded into it
    (``bench.models.batchnorm_folding``).

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
        is left out, the next one halves time and space as ever. ``align``: mid planes are rounded
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

        In training more than ``chunk`` clips (0: no limit) go through the net a part at a time, and
        the parts' activations are computed again for the gradient: memory for one part is enough.
        Batch statistics are then those of a part.
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
        """Let batch normalisations leave their running statistics as they are."""
        norms = [m for m in self.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
        before = [norm.momentum for norm in norms]
        try:
            for norm in norms:
                norm.momentum = 0.0
            yield
        finally:
            for norm, momentum in zip(norms, before, strict=True):
                norm.momentum = momentum
