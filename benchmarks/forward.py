"""Features of clips by R(2+1)D-18 on a CPU: torchvision's network next to the product's ways.

    python benchmarks/forward.py [--quick]

Clips of 16 frames of 112 x 112, one thread, inference, in seconds of CPU time. The released form is
torchvision's r2plus1d_18 in float32, channels first; the others are the settings
``network.inference``, and these compiled, which the product does not. A row also says how far the
features lie from the released ones: the norm of the difference in parts of their norm, and of their
spread over the clips, which is what tells clips apart. The weights are random, and such a network
hardly tells clips apart (its spread is a fiftieth of the norm), so the second figure is far worse
than a trained network's; neither is an accuracy. The last rows are with freed memory kept by the
process, as the product's workers have it: the released form gains most by that, for it asks for new
memory in every layer.
"""

import ctypes
import sys
import time
from collections.abc import Callable, Iterator

import torch
from ratio import Ratio, compare, show
from torch import Tensor, nn
from torchvision.models.video import r2plus1d_18  # type: ignore[import-untyped]

from bench.models.r2plus1d import R2Plus1D, folded
from bench.training.device import prepare


def networks() -> tuple[nn.Module, R2Plus1D]:
    """Return torchvision's network without its classifier, and ours with the same weights.

    Batch normalisations have statistics and scales as after a training: folded, they matter.
    """
    torch.manual_seed(0)
    theirs = r2plus1d_18(weights=None)
    theirs.fc = nn.Identity()
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm3d):
            assert module.running_mean is not None and module.running_var is not None
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    ours = R2Plus1D()
    weights = zip(ours.state_dict(), theirs.state_dict().values(), strict=True)
    ours.load_state_dict(dict(weights))
    return theirs.eval(), ours.eval()


@torch.inference_mode()
def rows(quick: bool = False) -> Iterator[Ratio]:
    """Yield plain, folded and bf16 against the released form."""
    prepare("cpu")
    theirs, ours = networks()
    clips = torch.randn(2 if quick else 4, 3, 16, 112, 112)
    ways: dict[str, Callable[[Tensor], Tensor]] = {
        "plain": ours,
        "folded": folded(ours),
        "bf16": folded(ours, torch.bfloat16),
    }
    for name in () if quick else ("folded", "bf16"):  # compiling takes half a minute each
        compiled = torch.compile(ways[name], options={"freezing": True})
        ways[f"{name}, compiled with freezing"] = compiled
    yield from timed(ways, theirs, clips, quick)
    if keep_memory():
        ways = {f"{name}, memory kept": ways[name] for name in ("plain", "folded", "bf16")}
        yield from timed(ways, theirs, clips, quick)


def timed(
    ways: dict[str, Callable[[Tensor], Tensor]], theirs: nn.Module, clips: Tensor, quick: bool
) -> Iterator[Ratio]:
    """Yield each way against the released form, and how far its features lie from these."""
    wanted = theirs(clips)
    spread = (wanted - wanted.mean(0)).norm()
    for name, way in ways.items():
        off = (way(clips) - wanted).norm()
        far = f"{off / wanted.norm():.0e} of the norm, {off / spread:.0e} of the spread"
        yield compare(
            f"features of {len(clips)} clips, {name} ({far} off)",
            lambda: theirs(clips),
            lambda way=way: way(clips),  # type: ignore[misc]
            rounds=3 if quick else 5,
            clock=time.process_time,
        )


def keep_memory() -> bool:
    """Let this process keep freed memory from now on, if its C library can; say if it does."""
    try:
        setting = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    no_mapping, no_trimming = (-4, 0), (-1, -1)  # M_MMAP_MAX, M_TRIM_THRESHOLD of malloc.h
    return all(setting(*one) for one in (no_mapping, no_trimming))


if __name__ == "__main__":
    show(rows("--quick" in sys.argv))
