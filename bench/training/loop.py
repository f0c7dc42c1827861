"""The training loop."""

import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench.config.schema import Train
from bench.method import Classes, Method
from bench.training.batches import Batches, stream
from bench.training.device_feed import feed
from bench.training.distributed import ALONE, World, shared_loss
from bench.training.schedule import learning_rates
from bench.training.step import Step
from bench.training.timer import Meter
from bench.utils.io import read_sealed, write_sealed

Log = list[dict[str, float]]


class Diverged(Exception):
    """The loss stopped being a finite number."""


@dataclass(frozen=True)
class Trained:
    """The log, one row each ``log_every`` steps, and how fast this process trained."""

    log: Log
    speed: dict[str, Any]  # Meter.facts
    micro_batches: int  # parts in which a batch passed the backbone


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

    Starts from ``state`` where that file is (a training that was killed), and writes it each
    ``checkpoint_every`` steps; a resumed run ends in the very numbers of an unbroken one. A damaged
    ``state`` counts as none. ``report`` gets the number of finished steps after each and the last
    loss that was logged (NaN before). On a GPU no step waits for the device but those that log.
    All processes of a ``world`` call this, with their parts of ``batches``; the log is of all.
    Raises Diverged with the step at which the loss is not finite.
    """
    device = seen.vectors.device
    meter = Meter(device)
    compute = shared_loss(method, seen, world)
    step = Step(method, compute, seen, settings, meter, batches.each, world.size == 1)
    rates = learning_rates(settings)
    first, log, sums = resume(state, method, step.optimiser)
    sums = {name: value.to(device) for name, value in sums.items()}
    method.train()
    world.gather(None)  # all have read the state that the first will write over
    read = stream(batches, first, settings.steps, workers)
    for number, batch in enumerate(feed(read, device, meter), first):
        loss, parts = step(batch, float(rates[number]))
        for name, value in {"loss": loss, **parts}.items():
            sums[name] = sums.get(name, 0) + value
        done = number + 1
        last = done == settings.steps
        logged = last or done % settings.log_every == 0
        if device.type == "cpu" and world.size == 1:  # elsewhere a look at each step costs time
            _check_finite(sums["loss"].item(), loss.item(), number)
        if logged:
            count = (done - 1) % settings.log_every + 1
            means = world.mean({name: value.item() / count for name, value in sums.items()})
            _check_finite(means["loss"], means["loss"], number)
            for name, mean in means.items():  # a log can hold no other, and fails at the end
                if not math.isfinite(mean):
                    raise Diverged(f"the part {name} of the loss is {mean} at step {number}")
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
            if world.size > 1:  # whoever goes on from here has the sums of all
                means = world.mean({name: value.item() for name, value in sums.items()})
                sums = {name: torch.tensor(value, device=device) for name, value in means.items()}
            if world.first:
                _save(state, method, step.optimiser, done, log, sums)
    return Trained(log, meter.facts(settings.batch), step.micro_batches)


def _check_finite(total: float, shown: float, step: int) -> None:
    if not math.isfinite(total):
        raise Diverged(f"the loss is {shown} at step {step}")


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
    """Load a training's state; return finished steps, log and sums since, nothing without it."""
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
