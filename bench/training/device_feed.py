"""Batches on the device that trains, with clips normalised there.

On a GPU the next batch is copied while this one is used.
"""

from collections.abc import Iterator
from functools import cache

import torch
from torch import Tensor

from bench.method import Batch
from bench.training.timer import Meter

Read = tuple[dict[str, Tensor], Tensor]

MEAN = (0.43216, 0.394666, 0.37645)  # of RGB in Kinetics, as torchvision's video models have it
STD = (0.22803, 0.22145, 0.216989)


def to_device(value: Tensor, device: torch.device) -> Tensor:
    """Move an input to ``device``; clips (uint8) become normalised floats [B,n,3,T,H,W] there."""
    value = value.to(device, non_blocking=True)
    return normalise(value) if value.dtype == torch.uint8 else value


def normalise(clips: Tensor) -> Tensor:
    """Turn uint8 [...,T,H,W,3] into float32 [...,3,T,H,W] on its device: (x/255 - mean) / std.

    The result keeps the memory order of the input, which is channels-last.
    """
    mean, std = _mean_and_std(clips.device)
    return clips.float().div_(255).sub_(mean).div_(std).movedim(-1, -4)


@cache
def _mean_and_std(device: torch.device) -> tuple[Tensor, Tensor]:
    """Return MEAN and STD on ``device``, copied there once."""
    with torch.inference_mode(False):
        return torch.tensor(MEAN, device=device), torch.tensor(STD, device=device)


def feed(read: Iterator[Read], device: torch.device, meter: Meter) -> Iterator[Batch]:
    """Yield what was read as batches on ``device``; each begins a step of ``meter``."""
    if device.type == "cuda":
        yield from _ahead(read, device, meter)
        return
    while True:
        meter.start()
        one = next(read, None)
        meter.end("read")
        if one is None:
            return
        batch = _moved(one, device)
        meter.end("copy")
        yield batch


def _ahead(read: Iterator[Read], device: torch.device, meter: Meter) -> Iterator[Batch]:
    """Copy on a stream of its own, so that the copy waits for no step and no step for the copy."""
    side = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    coming = _on(side, next(read, None), device)
    while coming is not None:
        meter.start()
        torch.cuda.current_stream(device).wait_stream(side)
        batch = coming
        for tensor in (*batch.inputs.values(), batch.y):
            tensor.record_stream(torch.cuda.current_stream(device))
        meter.end("copy")
        after = next(read, None)
        meter.end("read")
        coming = _on(side, after, device)
        yield batch


def _on(side: torch.cuda.Stream, one: Read | None, device: torch.device) -> Batch | None:
    if one is None:
        return None
    with torch.cuda.stream(side):
        return _moved(one, device)


def _moved(one: Read, device: torch.device) -> Batch:
    inputs, y = one
    moved = {name: to_device(value, device) for name, value in inputs.items()}
    return Batch(moved, y.to(device, non_blocking=True))
