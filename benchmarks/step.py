"""One update of AURL's heads on cached features: the released code's step next to the product's.

    python benchmarks/step.py [--quick]

Batch 256 of 512-d features, 662 classes of 300-d words, heads of 2048; on the GPU that is there, or
on one thread of a CPU, in seconds of CPU time, which other programs disturb less. The released
step, written anew here from what that code does, also measures a training accuracy each time: f_s a
second time and scipy's distances. Two rows count that, as it is part of the step; two do not, for
whoever asks what the update alone gains. The last row is the step's matrix products alone, in
bfloat16: no step that computes all of them is faster there than they are.
"""

import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from ratio import Ratio, compare, show
from scipy.spatial.distance import cdist  # type: ignore[import-untyped]
from torch import Tensor, nn
from torch.nn import functional as F

from bench.config.schema import Train
from bench.method import Batch, Classes, Context, as_tensor_classes
from bench.training.device import Meter, prepare
from bench.training.trainer import Step
from methods.aurl import AURL

BATCH, CLASSES, FEATURES, WORDS, HEAD = 256, 662, 512, 300, 2048
LAMBDA, RATE = 10.0, 0.05


def head() -> nn.Sequential:
    """Return the released projection, 512 -> 2048."""
    return nn.Sequential(
        *(nn.Linear(FEATURES, HEAD), nn.BatchNorm1d(HEAD), nn.ReLU(inplace=True)),
        *(nn.Linear(HEAD, HEAD), nn.BatchNorm1d(HEAD), nn.ReLU(inplace=True)),
        *(nn.Linear(HEAD, HEAD), nn.BatchNorm1d(HEAD)),
    )


def nce(a: Tensor, b: Tensor, target: Tensor) -> Tensor:
    """Return the cross-entropy of the scaled cosines of a [N,D] and b [K,D]: a scalar."""
    return F.cross_entropy(LAMBDA * F.linear(F.normalize(a), F.normalize(b)), target)


def released(batch: Batch, seen: Classes, accuracy: bool) -> Callable[[], object]:
    """Return the released step; with ``accuracy`` as it is, without as if it measured none."""
    device = batch.y.device
    visual = head().to(device)
    semantic = nn.Sequential(nn.Linear(WORDS, FEATURES), head()).to(device)
    centres = nn.Parameter(torch.rand(CLASSES, HEAD, device=device))
    weights = [*visual.parameters(), *semantic.parameters(), centres]
    optimiser = torch.optim.SGD(weights, RATE, momentum=0.9, weight_decay=1e-4)
    labels = batch.y.cpu().numpy()
    losses, right = [], []

    def step() -> None:
        v = visual(batch.video[:, 0])
        s = semantic(seen.vectors)
        loss = nce(v, s, batch.y) + nce(v, centres, batch.y)
        mix = torch.rand(CLASSES, CLASSES).to(device)
        z, theta = torch.mm(mix, F.normalize(s)), torch.mm(mix, F.normalize(centres))
        loss = loss + nce(z, theta, torch.arange(CLASSES).to(device))
        if accuracy:
            with torch.no_grad():
                again = semantic(seen.vectors).cpu().numpy()
            found = cdist(v.detach().cpu().numpy(), again, "cosine").argmin(1)
            right.append(float((found == labels).mean()))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(loss.item())

    return step


def ours(batch: Batch, seen: Classes, settings: Train) -> Callable[[], object]:
    """Return the step of ``bench train`` for AURL on features."""
    device = batch.y.device
    method = AURL()
    method.build(Context(seen, {"video": FEATURES}, HEAD, nn.Identity, FEATURES))
    method.to(device).train()
    step = Step(method, method.loss, seen, settings, Meter(device))

    def run() -> None:
        step(batch, RATE)
        if device.type == "cuda":  # the timer's: a training does not wait for a step
            torch.cuda.synchronize()

    return run


def products(device: torch.device) -> Callable[[], object]:
    """Return the matrix products of one step and nothing else, bfloat16, operands as they lie best.

    Of each linear layer: forward, by its weights, and by its input if that is learned, too. Of the
    losses: v by s and by W; A by s and by W; Z by Θ; Θ by Θ, which measures only.
    """
    shapes = []
    for n, widths in ((BATCH, [FEATURES]), (CLASSES, [WORDS, FEATURES])):
        widths += [HEAD] * 3
        for k, m in pairwise(widths):
            shapes += [(n, k, m), (m, n, k)] + ([(n, m, k)] if k != widths[0] else [])
    for n, learned in ((BATCH, 2), (BATCH, 2), (CLASSES, 2), (CLASSES, 0)):
        shapes += [(n, HEAD, CLASSES), (n, CLASSES, HEAD), (CLASSES, n, HEAD)][: 1 + learned]
    shapes += [(CLASSES, CLASSES, HEAD)] * 4
    operands = [
        [torch.randn(*size, device=device).bfloat16() for size in ((n, k), (k, m))]
        for n, k, m in shapes
    ]

    def run() -> None:
        for a, b in operands:
            torch.mm(a, b)
        if device.type == "cuda":
            torch.cuda.synchronize()

    return run


def rows(quick: bool = False) -> Iterator[Ratio]:
    """Yield fp32 and bf16, also compiled, against the released step, by its two measures."""
    device = prepare("auto")
    torch.manual_seed(0)
    vectors = np.random.default_rng(0).normal(size=(CLASSES, WORDS)) / WORDS**0.5
    seen = as_tensor_classes([f"class {i}" for i in range(CLASSES)], vectors, device)
    features = torch.randn(BATCH, 1, FEATURES, device=device)
    batch = Batch({"video": features}, torch.randint(CLASSES, (BATCH,), device=device))
    timing: dict[str, Any] = {
        "rounds": 3 if quick else 9,
        "clock": time.perf_counter if device.type == "cuda" else time.process_time,
    }
    for accuracy in (True, False):
        for way in ("fp32", "fp32 compiled", "bf16", "bf16 compiled"):
            precision, *compiled = way.split()
            settings = Train.model_validate(
                {"batch": BATCH, "precision": precision, "compile": bool(compiled)}
            )
            less = "" if accuracy else ", released without its accuracy"
            yield compare(
                f"step of AURL's heads, {way}{less}",
                released(batch, seen, accuracy),
                ours(batch, seen, settings),
                **timing,
            )
    yield compare(
        "step of AURL's heads, its matrix products alone, bf16",
        released(batch, seen, accuracy=True),
        products(device),
        **timing,
    )


if __name__ == "__main__":
    show(rows("--quick" in sys.argv))
