"""One update of the weights: forward, backward, optimiser; smaller parts where memory runs out."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from bench.config.schema import Train
from bench.errors import UserError
from bench.method import Batch, Classes, Loss, Method
from bench.training.timer import Meter


class Step:
    """Updates ``method`` by batches; ``chunk`` clips pass its backbone at a time (0: all)."""

    def __init__(
        self,
        method: Method,
        loss: Callable[[Batch, Classes], Loss],
        seen: Classes,
        settings: Train,
        meter: Meter,
        videos: int = 0,
        alone: bool = True,
    ) -> None:
        """``loss`` is the method's own, or what computes it on several devices.

        ``videos`` is how many of a batch this process takes (0: all); ``alone`` is false where
        others take the rest, and wait for this one.
        """
        self.device = seen.vectors.device
        self._loss, self._seen, self._meter = loss, seen, meter
        self._bf16 = settings.precision == "bf16"
        self._clip, self._alone = settings.grad_clip, alone
        self._batch = videos or settings.batch
        self._weights = [p for p in method.parameters() if p.requires_grad]
        self._backbones = [m for m in method.modules() if hasattr(m, "chunk")]
        # What a forward pass changes: one that ran out of memory must not have happened.
        self._statistics = list(method.buffers()) if self._backbones else []
        self._before = [buffer.clone() for buffer in self._statistics]
        if settings.compile:
            # Heads alone are many small kernels: CUDA graphs start them all at once.
            graphs = self.device.type == "cuda" and not self._backbones
            mode = "reduce-overhead" if graphs else "default"
            self._loss = torch.compile(loss, dynamic=False, mode=mode)
        self.optimiser = optimiser(self._weights, settings)
        self.chunk = 0
        if settings.micro_batch and settings.micro_batch < self._batch:
            self._limit(settings.micro_batch)

    @property
    def micro_batches(self) -> int:
        """In how many parts a batch, or this process's part of it, passes the backbone."""
        return math.ceil(self._batch / self.chunk) if self.chunk else 1

    def __call__(self, batch: Batch, rate: float) -> Loss:
        """Update once at this learning rate; return the loss and its parts, detached.

        Raises UserError where one clip at a time is too much for the device's memory.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        loss, parts = self._gradients(batch)
        if self._clip:
            torch.nn.utils.clip_grad_norm_(self._weights, self._clip)
        self.optimiser.step()
        self._meter.end("update")
        return loss.detach(), {name: value.detach() for name, value in parts.items()}

    def _gradients(self, batch: Batch) -> Loss:
        while True:
            random = torch.get_rng_state()
            random_cuda = torch.cuda.get_rng_state() if self.device.type == "cuda" else None
            if self._statistics:
                torch._foreach_copy_(self._before, self._statistics)
            try:
                return self._once(batch)
            except torch.OutOfMemoryError:
                self._halve(len(batch.y))
            if self._statistics:
                torch._foreach_copy_(self._statistics, self._before)
            torch.set_rng_state(random)
            if random_cuda is not None:
                torch.cuda.set_rng_state(random_cuda)
                torch.cuda.empty_cache()

    def _once(self, batch: Batch) -> Loss:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._bf16):
            loss, parts = self._loss(batch, self._seen)
        self._meter.end("forward")
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._meter.end("backward")
        return loss, parts

    def _halve(self, videos: int) -> None:
        now = self.chunk or videos
        if not self._alone:  # the others are amid a step that this one would begin again
            raise UserError(
                f"a device's memory is too small for {now} clips at a time; set train.micro_batch "
                f"to {max(1, now // 2)} or start more processes"
            ) from None
        if now == 1 or not self._backbones:
            raise UserError(
                "the device's memory is too small for this method"
                + (" at one clip at a time" if self._backbones else f" at a batch of {videos}")
                + "; lower train.batch or the network's widths in params.yaml"
            ) from None
        self._limit(now // 2)

    def _limit(self, chunk: int) -> None:
        self.chunk = chunk
        for net in self._backbones:
            net.chunk = chunk  # type: ignore[assignment]


def optimiser(weights: Sequence[Tensor], settings: Train) -> torch.optim.Optimizer:
    """Return SGD with momentum, or Adam, each as one pass over weights, gradients and moments."""
    decay = settings.weight_decay
    if settings.optimiser == "adam":
        return torch.optim.Adam(weights, settings.lr, weight_decay=decay, fused=True)
    return torch.optim.SGD(weights, settings.lr, settings.momentum, weight_decay=decay, fused=True)
