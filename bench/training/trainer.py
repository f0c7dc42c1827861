"""Train a network: the schedule, one step, and the loop over steps."""

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.config.schema import Train
from bench.errors import UserError
from bench.experiments.record import Speed
from bench.method import Batch, Classes, Loss, Method
from bench.training.cell_inputs import Batches, stream
from bench.training.device import Meter, feed
from bench.training.distributed import ALONE, World, shared_loss
from bench.utils.io import read_sealed, write_sealed


def learning_rates(train: Train) -> NDArray[np.float64]:
    """Return [steps]: 0 → lr over ``warmup`` updates, then half a cosine down to 0.

    The warm-up is linear, or geometric: update t of w has lr / batch · batch^(t/w) (ER's released
    code). With ``milestones`` (updates) the rate is multiplied by ``milestone_factor`` at each of
    them instead of the cosine (E2E). With ``first_update_at_full_rate`` the schedule comes one
    update late and the first runs at the full rate, as in the released code of AURL, whose
    scheduler steps after the optimiser.
    """
    warm = min(train.warmup, train.steps)
    rest = train.steps - warm
    rising = np.linspace(0, train.lr, warm)
    if train.warmup_law == "geometric":
        rising = train.lr * float(train.batch) ** (np.arange(warm) / max(warm, 1) - 1)
    falling = 0.5 * train.lr * (1 + np.cos(np.pi * np.arange(rest) / max(rest, 1)))
    if train.milestones:
        passed = np.searchsorted(sorted(train.milestones), np.arange(warm, train.steps), "right")
        falling = np.asarray(train.lr * train.milestone_factor**passed, np.float64)
    rates = np.concatenate([rising, falling])
    if train.first_update_at_full_rate:
        rates = np.concatenate([[train.lr], rates[:-1]])
    return rates


class Step:
    """Updates ``method`` batch by batch; ``chunk`` clips at a time pass its backbone (0: all)."""

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

        ``videos`` is this process's share of a batch (0: all); ``alone`` is false if other
        processes take the rest and wait for this one.
        """
        self.device = seen.vectors.device
        self._loss, self._seen, self._meter = loss, seen, meter
        self._bf16 = settings.precision == "bf16"
        self._clip, self._alone = settings.grad_clip, alone
        self._batch = videos or settings.batch
        self._weights = [p for p in method.parameters() if p.requires_grad]
        self._backbones = [m for m in method.modules() if hasattr(m, "chunk")]
        # Changed by a forward pass, and restored if it ran out of memory.
        self._statistics = list(method.buffers()) if self._backbones else []
        self._before = [buffer.clone() for buffer in self._statistics]
        if settings.compile:
            # Without a backbone there are many small kernels: CUDA graphs start them all at once.
            graphs = self.device.type == "cuda" and not self._backbones
            mode = "reduce-overhead" if graphs else "default"
            self._loss = torch.compile(loss, dynamic=False, mode=mode)
        self.optimiser = optimiser(self._weights, settings)
        self.chunk = 0
        if settings.micro_batch and settings.micro_batch < self._batch:
            self._limit(settings.micro_batch)

    @property
    def micro_batches(self) -> int:
        """Parts in which this process's share of a batch passes the backbone."""
        return math.ceil(self._batch / self.chunk) if self.chunk else 1

    def __call__(self, batch: Batch, rate: float) -> Loss:
        """Update once at this learning rate; return the loss and its parts, detached.

        Raises UserError if one clip at a time is too much for the device's memory.
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
        if not self._alone:  # this process would repeat a step that the others are still in
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


Log = list[dict[str, float]]


class Diverged(Exception):
    """The loss stopped being a finite number."""


@dataclass(frozen=True)
class Trained:
    """The log, one row each ``log_every`` steps, and how fast this process trained."""

    log: Log
    speed: Speed | None
    micro_batches: int


def train(
    method: Method,
    batches: Batches,
    seen: Classes,
    settings: Train,
    state: Path,
    workers: int = 0,
    report: Callable[[int, float], None] = lambda step, loss: None,
    evaluate: Callable[[int], None] = lambda step: None,
    world: World = ALONE,
) -> Trained:
    """Minimise ``method.loss``.

    Resumes from the file ``state`` if a killed training left it, and writes it every
    ``checkpoint_every`` steps; a resumed run gives exactly the numbers of an uninterrupted one. A
    damaged ``state`` is ignored. After each step ``report`` gets the number of finished steps and
    the last logged loss (NaN before). On a GPU only the steps that log wait for the device. All
    processes of a ``world`` call this, with their parts of ``batches``; the log is of all. Raises
    Diverged with the step at which the loss is not finite.
    """
    device = seen.vectors.device
    meter = Meter(device)
    compute = shared_loss(method, seen, world)
    step = Step(method, compute, seen, settings, meter, batches.each, world.size == 1)
    rates = learning_rates(settings)
    first, log, sums = resume(state, method, step.optimiser)
    sums = {name: value.to(device) for name, value in sums.items()}
    method.train()
    world.gather(None)  # all processes have read the state that the first will overwrite
    read = stream(batches, first, settings.steps, workers)
    for number, batch in enumerate(feed(read, device, meter), first):
        loss, parts = step(batch, float(rates[number]))
        for name, value in {"loss": loss, **parts}.items():
            sums[name] = sums.get(name, 0) + value
        done = number + 1
        last = done == settings.steps
        logged = last or done % settings.log_every == 0
        local = device.type == "cpu" and world.size == 1  # elsewhere a look at each step takes time
        if local and not math.isfinite(sums["loss"].item()):
            raise Diverged(f"the loss is {loss.item()} at step {number}")
        if logged:
            count = (done - 1) % settings.log_every + 1
            means = world.mean({name: value.item() / count for name, value in sums.items()})
            for name, mean in means.items():  # the loss comes first
                if not math.isfinite(mean):
                    what = "loss" if name == "loss" else f"part {name} of the loss"
                    raise Diverged(f"the {what} is {mean} at step {number}")
            log.append({"step": done, "lr": float(rates[number]), **means})
            sums = {}
        meter.stop()
        report(done, log[-1]["loss"] if log else math.nan)
        if last or (settings.eval_every and done % settings.eval_every == 0):
            world.settle(method)
            if settings.eval_every:
                evaluate(done)
                method.train()
        every = settings.checkpoint_every
        if every and done % every == 0 and not last:
            if world.size > 1:  # the state holds the sums of all processes
                means = world.mean({name: value.item() for name, value in sums.items()})
                sums = {name: torch.tensor(value, device=device) for name, value in means.items()}
            if world.first:
                _save(state, method, step.optimiser, done, log, sums)
    return Trained(log, meter.speed(settings.batch), step.micro_batches)


def _save(
    state: Path,
    method: Method,
    optimiser: torch.optim.Optimizer,
    done: int,
    log: Log,
    sums: dict[str, Tensor],
) -> None:
    whole: dict[str, Any] = {
        "done": done,
        "method": method.state_dict(),
        "optimiser": optimiser.state_dict(),
        "random": torch.get_rng_state(),
        "log": log,
        "sums": sums,
    }
    if torch.cuda.is_available():
        whole["random_cuda"] = torch.cuda.get_rng_state()
    content = io.BytesIO()
    torch.save(whole, content)
    write_sealed(state, content.getbuffer())  # torch itself does not notice a flipped bit


def resume(
    state: Path, method: Method, optimiser: torch.optim.Optimizer
) -> tuple[int, Log, dict[str, Tensor]]:
    """Load a training's state; return finished steps, log, and sums since the last log entry."""
    content = read_sealed(state)
    if content is None:
        return 0, [], {}
    # All processes read what the first had on its device.
    whole = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    method.load_state_dict(whole["method"])
    optimiser.load_state_dict(whole["optimiser"])
    torch.set_rng_state(whole["random"])
    if "random_cuda" in whole and torch.cuda.is_available():
        torch.cuda.set_rng_state(whole["random_cuda"])
    return whole["done"], whole["log"], whole["sums"]
