"""The device that trains: its settings, the batches moved to it, and the time that steps take."""

import resource
import time
from collections.abc import Iterator
from functools import cache

import torch
from torch import Tensor

from bench.errors import UserError
from bench.experiments.record import Speed
from bench.method import Batch

Read = tuple[dict[str, Tensor], Tensor]

MEAN = (0.43216, 0.394666, 0.37645)  # of RGB in Kinetics, as in torchvision's video models
STD = (0.22803, 0.22145, 0.216989)
PARTS = ("read", "copy", "forward", "backward", "update")
_WARM = 3  # steps that are not timed: they allocate, choose algorithms, fill caches
_TIMED = 50  # on a GPU one step in so many is timed part by part: each part waits for the GPU then


def prepare(wanted: str) -> torch.device:
    """Return the device: auto, cpu or cuda. On a CPU one thread, and deterministic algorithms."""
    cuda = wanted != "cpu" and torch.cuda.is_available()
    if wanted == "cuda" and not cuda:
        raise UserError("train.device is cuda, but torch sees no GPU")
    if not cuda:
        torch.set_num_threads(1)
        torch.set_flush_denormal(True)
    torch.backends.cudnn.allow_tf32 = False  # TF32 would keep 10 bits of the mantissa
    torch.use_deterministic_algorithms(not cuda)
    # No code reads uninitialised memory, and filling it costs a seventh of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    return torch.device("cuda" if cuda else "cpu")


class Meter:
    """Measures the seconds of steps and of each of their parts."""

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"
        self._parts = dict.fromkeys(PARTS, 0.0)
        self._seconds, self._steps, self._seen = 0.0, 0, 0
        self._begin = self._last = time.perf_counter()
        self._counted = self._timed = False

    def start(self) -> None:
        """Begin a step; the time since the last one (a test, a saved state) does not count."""
        self._counted = self._seen >= _WARM
        self._timed = self._counted and (not self._cuda or self._seen % _TIMED == _WARM)
        self._begin = self._last = self._now()

    def end(self, part: str) -> None:
        """End a part of the step; the next one begins here."""
        if self._timed:
            now = self._now()
            self._parts[part] += now - self._last
            self._last = now

    def stop(self) -> None:
        """End the step."""
        self._seen += 1
        if self._counted:
            self._seconds += time.perf_counter() - self._begin
            self._steps += 1

    def speed(self, batch: int) -> Speed | None:
        """Return the speed so far; None after too few steps."""
        whole = sum(self._parts.values())
        if not whole or not self._seconds:
            return None
        return Speed(
            clips_per_s=float(f"{batch * self._steps / self._seconds:.4g}"),
            step_s=float(f"{self._seconds / self._steps:.4g}"),
            shares={name: round(s / whole, 4) for name, s in self._parts.items()},
            memory_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            gpu_memory_mb=torch.cuda.max_memory_allocated() // 2**20 if self._cuda else 0,
        )

    def _now(self) -> float:
        if self._cuda and self._timed:
            torch.cuda.synchronize()
        return time.perf_counter()


def feed(read: Iterator[Read], device: torch.device, meter: Meter) -> Iterator[Batch]:
    """Yield what was read as batches on ``device``; each begins a step of ``meter``.

    On a GPU the next batch is copied while this one is used.
    """
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
    """Copy on a separate stream, so that copies and steps do not wait for each other."""
    side = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def moved(one: Read | None) -> Batch | None:
        with torch.cuda.stream(side):
            return None if one is None else _moved(one, device)

    coming = moved(next(read, None))
    while coming is not None:
        meter.start()
        torch.cuda.current_stream(device).wait_stream(side)
        batch = coming
        for tensor in (*batch.inputs.values(), batch.y):
            tensor.record_stream(torch.cuda.current_stream(device))
        meter.end("copy")
        after = next(read, None)
        meter.end("read")
        coming = moved(after)
        yield batch


def _moved(one: Read, device: torch.device) -> Batch:
    inputs, y = one
    moved = {name: to_device(value, device) for name, value in inputs.items()}
    return Batch(moved, y.to(device, non_blocking=True))


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
    with torch.inference_mode(False):
        return torch.tensor(MEAN, device=device), torch.tensor(STD, device=device)
