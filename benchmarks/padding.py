"""Does it pay to pad R(2+1)D-18's middle planes, which are no multiples of 8, with zeros?

    python benchmarks/padding.py [--quick]

A (2+1)D convolution of each stage, forward and backward, with the planes that it has (45, 230, 460,
921) beside the next multiple of 8, channels last; on the GPU that is there, or on one thread of a
CPU, in processor time. A ratio above 1 says that the padded one is the faster. Simplified: 3×3 and
without strides, where the stem has 7×7 and the first of a stage a stride of 2.
"""

import sys
import time
from collections.abc import Callable, Iterator

import torch
from ratio import Ratio, compare, show
from torch import nn

from bench.training.device import prepare

# Planes in, middle, out; frames and pixels of a side, of a clip of 16×112×112.
STAGES = (
    (3, 45, 64, 16, 112),
    (64, 230, 128, 8, 28),
    (128, 460, 256, 4, 14),
    (256, 921, 512, 2, 7),
)


def convolution(
    planes: tuple[int, int, int], clips: torch.Tensor, bf16: bool
) -> Callable[[], None]:
    """Return a forward and backward pass of a spatial, then a temporal convolution."""
    before, middle, after = planes
    net = nn.Sequential(
        nn.Conv3d(before, middle, (1, 3, 3), padding=(0, 1, 1), bias=False),
        nn.BatchNorm3d(middle),
        nn.ReLU(inplace=True),
        nn.Conv3d(middle, after, (3, 1, 1), padding=(1, 0, 0), bias=False),
    ).to(clips.device, memory_format=torch.channels_last_3d)

    def run() -> None:
        with torch.autocast(clips.device.type, torch.bfloat16, enabled=bf16):
            found = net(clips)
        found.sum().backward()
        if clips.is_cuda:
            torch.cuda.synchronize()

    return run


def rows(quick: bool = False) -> Iterator[Ratio]:
    """Yield each stage in fp32 and in bf16: as it is against padded."""
    device = prepare("auto")
    clock = time.perf_counter if device.type == "cuda" else time.process_time
    for before, middle, after, frames, side in STAGES:
        padded = -(-middle // 8) * 8
        clips = torch.randn(4, before, frames, side, side, device=device, requires_grad=True)
        laid = clips.to(memory_format=torch.channels_last_3d)
        for bf16 in (False, True):
            plain, fast = (
                convolution((before, planes, after), laid, bf16) for planes in (middle, padded)
            )
            yield compare(
                f"{middle} planes padded to {padded}, {'bf16' if bf16 else 'fp32'}",
                plain,
                fast,
                3 if quick else 9,
                clock,
            )


if __name__ == "__main__":
    show(rows("--quick" in sys.argv))
