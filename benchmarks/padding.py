"""Does it pay to pad R(2+1)D-18's middle planes, which are no multiples of 8, with zeros?

    python benchmarks/padding.py [--quick]

Forward and backward of the paper's network, of its stem (45 middle planes) and of the first block
of stages 2 to 4 (230, 460, 921), with the strides and sizes that they have, on clips of 16×112×112,
channels last: as they are beside a copy whose middle planes are the next multiple of 8. What is
added is zero and stays so: the output is the same up to rounding. On the GPU that is there, or on
one thread of a CPU, in processor time. A ratio above 1 says that the padded one is faster.
"""

import copy
import sys
import time
from collections.abc import Callable, Iterator

import torch
from ratio import Ratio, compare, show
from torch import Tensor, nn

from bench.models.r2plus1d import FactorisedConv3d, R2Plus1D
from bench.training.device import prepare

MULTIPLE = 8
# Place in the network; the planes, frames and pixels of a side that enter it.
PLACES = {
    "": ("the whole network, its planes", (3, 16, 112)),
    "stem": ("the stem, its 45 planes", (3, 16, 112)),
    "layer2.0": ("stage 2, its 230 planes", (64, 16, 56)),
    "layer3.0": ("stage 3, its 460 planes", (128, 8, 28)),
    "layer4.0": ("stage 4, its 921 planes", (256, 4, 14)),
}


def padded(net: nn.Module) -> nn.Module:
    """Return a copy whose (2+1)D convolutions have middle planes that are multiples of 8."""
    wide = copy.deepcopy(net)
    for place in [m for m in wide.modules() if isinstance(m, nn.Sequential) and len(m) >= 4]:
        first, norm, _, second = place[:4]
        if isinstance(first, FactorisedConv3d) and isinstance(second, FactorisedConv3d):
            more = -first.out_channels % MULTIPLE
            first.weight = nn.Parameter(zeros_after(first.weight, 0, more))
            second.weight = nn.Parameter(zeros_after(second.weight, 1, more))
            place[1] = nn.BatchNorm3d(norm.num_features + more).to(first.weight.device)
    return wide.to(memory_format=torch.channels_last_3d)


def zeros_after(weight: Tensor, dim: int, more: int) -> Tensor:
    """Return ``weight`` with ``more`` zeros at the end of ``dim``."""
    size = list(weight.shape)
    size[dim] = more
    return torch.cat([weight.detach(), weight.new_zeros(size)], dim)


def trained(net: nn.Module, clips: Tensor, bf16: bool) -> Callable[[], Tensor]:
    """Return a forward and backward pass, which returns the output."""

    def run() -> Tensor:
        with torch.autocast(clips.device.type, torch.bfloat16, enabled=bf16):
            found: Tensor = net(clips)
        found.sum().backward()  # type: ignore[no-untyped-call]
        if clips.is_cuda:
            torch.cuda.synchronize()
        return found.detach()

    return run


def rows(quick: bool = False) -> Iterator[Ratio]:
    """Yield each place in fp32 and in bf16: as it is against padded."""
    device = prepare("auto")
    clock = time.perf_counter if device.type == "cuda" else time.process_time
    torch.manual_seed(0)
    net = R2Plus1D(dropout=0).to(device, memory_format=torch.channels_last_3d)
    for place, (name, (planes, frames, side)) in PLACES.items():
        part = net.get_submodule(place)
        wide = padded(part)
        clips = torch.randn(1 if quick else 4, planes, frames, side, side, device=device)
        clips = clips.to(memory_format=torch.channels_last_3d)
        clips.requires_grad_(place.startswith("layer"))  # as in a training
        for bf16 in (False, True):
            plain, fast = trained(part, clips, bf16), trained(wide, clips, bf16)
            if not bf16:
                torch.testing.assert_close(plain(), fast(), rtol=1e-3, atol=1e-4)
            yield compare(
                f"{name} to multiples of {MULTIPLE}, {'bf16' if bf16 else 'fp32'}",
                plain,
                fast,
                3 if quick else 7,
                clock,
            )


if __name__ == "__main__":
    show(rows("--quick" in sys.argv))
