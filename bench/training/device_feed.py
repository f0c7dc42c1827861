"""Batches on the device that trains; on a GPU the next one is copied while this one is used."""

from collections.abc import Iterator

import torch
from torch import Tensor

from bench.method import Batch
from bench.training.sources import to_device
from bench.training.timer import Meter

Read = tuple[dict[str, Tensor], Tensor]


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
