"""Where a training's time goes, and how much memory it takes."""

import resource
import time

import torch

from bench.experiments.record import Speed

PARTS = ("read", "copy", "forward", "backward", "update")
_WARM = 3  # steps that are not counted: they allocate, choose algorithms, fill caches
_TIMED = 50  # on a GPU one step in so many is timed part by part: each part waits for the GPU then


class Meter:
    """Adds up the seconds of each part of the steps, of the whole steps, and their number."""

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"
        self._parts = dict.fromkeys(PARTS, 0.0)
        self._seconds, self._steps, self._seen = 0.0, 0, 0
        self._begin = self._last = time.perf_counter()
        self._counted = self._timed = False

    def start(self) -> None:
        """Begin a step: what passed since the last one ended is no training (a test, a state)."""
        self._counted = self._seen >= _WARM
        self._timed = self._counted and (not self._cuda or self._seen % _TIMED == _WARM)
        self._begin = self._last = self._now()

    def end(self, part: str) -> None:
        """End a part of the step, which began where the one before it ended."""
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
        """Return the speed so far; None for a training of too few steps to tell."""
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
