"""One cell trained by several processes, as ``torchrun`` starts them: one device each.

Each process computes its part of every batch, or all of it if the loss is not a mean over videos
(``Method.whole_batch``). Gradients are averaged, so batch, learning rate and schedule are those of
one process. All processes draw the same random numbers, so AURL's class generator draws one A per
step. Batch statistics are those of the whole batch on GPUs (SyncBatchNorm, as in the released code)
and those of a part on CPUs.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from bench.errors import UserError
from bench.method import Batch, Classes, Loss, Method


@dataclass(frozen=True)
class World:
    """This process among those that train one cell."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes the result."""
        return self.rank == 0

    def part(self, batch: int, method: Method) -> slice:
        """Return this process's part of a batch; UserError if the parts would not be equal.

        The whole batch if the method's loss is not a mean over videos or it has no loss.
        """
        if method.whole_batch or method.fit is not None:
            return slice(None)
        if batch % self.size:
            raise UserError(
                f"a batch of {batch} cannot be shared evenly by {self.size} processes; change "
                "train.batch or --nproc-per-node"
            )
        each = batch // self.size
        return slice(self.rank * each, (self.rank + 1) * each)

    def mean(self, values: dict[str, float]) -> dict[str, float]:
        """Return each value's mean over the processes."""
        if self.size == 1:
            return values
        everywhere = self.gather(values)
        return {name: sum(one[name] for one in everywhere) / self.size for name in values}

    def gather(self, value: Any) -> list[Any]:
        """Return the values of all processes, in the order of their ranks."""
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, value, group=_patient())
        return found

    def settle(self, method: Method) -> None:
        """Copy the first process's buffers to all: on CPUs their batch statistics differ."""
        for buffer in method.buffers() if self.size > 1 else ():
            dist.broadcast(buffer, 0)


ALONE = World()


def joined() -> World:
    """Join the processes that ``torchrun`` started; ``ALONE`` without it."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return ALONE
    if not dist.is_initialized():
        local, gpus = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
        if local < gpus:
            torch.cuda.set_device(local)
        # A profile may ask for the CPU where GPUs are.
        dist.init_process_group("cpu:gloo,cuda:nccl" if gpus else "gloo")
        _patient()
    return World(dist.get_rank(), dist.get_world_size())


@cache
def _patient() -> Any:
    """Return a group with a long timeout: the first process may decode videos for hours."""
    return dist.new_group(backend="gloo", timeout=timedelta(days=2))


def shared_loss(method: Method, seen: Classes, world: World) -> Callable[[Batch, Classes], Loss]:
    """Return the method's loss, whose gradients are the mean over the processes.

    For a loss that is a mean over videos, the mean over equal parts is the gradient of the whole
    batch; other methods get the whole batch (``Method.whole_batch``).
    """
    if world.size == 1:
        return method.loss
    device = seen.vectors.device
    if device.type == "cuda":
        nn.SyncBatchNorm.convert_sync_batchnorm(method)  # type: ignore[no-untyped-call]
    own = None if device.type == "cpu" else [torch.cuda.current_device()]
    spread = DistributedDataParallel(
        _Loss(method, seen), device_ids=own, find_unused_parameters=True
    )

    def loss(batch: Batch, seen: Classes) -> Loss:
        found: Loss = spread(dict(batch.inputs), batch.y)
        return found

    return loss


class _Loss(nn.Module):
    """A method's loss as a forward pass, as DistributedDataParallel expects it."""

    def __init__(self, method: Method, seen: Classes) -> None:
        super().__init__()
        self.method, self._seen = method, seen

    def forward(self, inputs: dict[str, Tensor], y: Tensor) -> Loss:
        loss, parts = self.method.loss(Batch(inputs, y), self._seen)
        return loss, {name: value.detach() for name, value in parts.items()}
