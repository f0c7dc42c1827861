"""Training R(2+1)D-18 on clips on a GPU: ``python benchmarks/clips.py [--quick]``.

Whole steps of AURL on random clips 16×112×112, K = 662, heads of 2048: eager fp32 beside bf16, and
beside bf16 with torch.compile. The released code took 92.4 clips a second on 8 V100.
"""

import sys
from collections.abc import Callable, Iterator

import torch
from ratio import Ratio, compare, show
from torch.nn import functional as F

from bench.config.schema import Train
from bench.method import Batch, Classes, Context
from bench.models.r2plus1d import R2Plus1D
from bench.training.device import Meter, prepare
from bench.training.trainer import Step
from methods.aurl import AURL

CLASSES, WORDS, HEAD, FEATURES = 662, 300, 2048, 512


def training(batch: Batch, settings: Train) -> Callable[[], object]:
    """Return what takes ten steps and waits for the GPU."""
    device = batch.y.device
    words = F.normalize(torch.randn(CLASSES, WORDS, device=device), dim=1)
    seen = Classes([f"class {i}" for i in range(CLASSES)], words)
    method = AURL()
    method.build(Context(seen, {"video": 0}, HEAD, R2Plus1D, FEATURES))
    method.to(device).train()
    step = Step(method, method.loss, seen, settings, Meter(device))

    def run() -> None:
        for _ in range(10):
            step(batch, 0.05)
        torch.cuda.synchronize()

    return run


def rows(quick: bool = False) -> Iterator[Ratio]:
    """Yield the ratios with clips a second; SystemExit without a GPU."""
    if not torch.cuda.is_available():
        raise SystemExit("needs a GPU, and none is here")
    device = prepare("cuda")
    for size in (32,) if quick else (32, 64, 128):
        clips = torch.randn(size, 1, 3, 16, 112, 112, device=device)
        batch = Batch({"video": clips}, torch.randint(CLASSES, (size,), device=device))
        plain = training(batch, Train(batch=size))
        for compiled in (False, True):
            fast = training(batch, Train(batch=size, precision="bf16", compile=compiled))
            name = "bf16, compiled" if compiled else "bf16"
            row = compare(f"ten steps of {size} clips, {name}", plain, fast, 3 if quick else 7)
            print(f"{name}, batch {size}: {10 * size / row.fast_s:.0f} clips/s", file=sys.stderr)
            yield row


if __name__ == "__main__":
    show(rows("--quick" in sys.argv))
