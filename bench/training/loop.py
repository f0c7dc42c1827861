"""The training loop."""

import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench.files import read_sealed, write_sealed
from bench.method import Batch, Classes, Method
from bench.settings import Train
from bench.training.batches import Batches, stream
from bench.training.inputs import to_device
from bench.training.schedule import learning_rates

Log = list[dict[str, float]]


class Diverged(Exception):
    """The loss stopped being a finite number."""


def train(
    method: Method,
    batches: Batches,
    seen: Classes,
    settings: Train,
    state: Path,
    workers: int = 0,
    report: Callable[[int], None] = lambda step: None,
    evaluate: Callable[[int], None] = lambda step: None,
) -> Log:
    """Minimise ``method.loss`` and return the log, one row each ``log_every`` steps.

    Starts from ``state`` where that file is (a training that was killed), and writes it each
    ``checkpoint_every`` steps; a resumed run ends in the very numbers of an unbroken one. A damaged
    ``state`` counts as none. ``report`` gets the number of finished steps after each.
    Raises Diverged with the step at which the loss is not finite.
    """
    device = seen.vectors.device
    weights = [p for p in method.parameters() if p.requires_grad]
    decay, momentum = settings.weight_decay, settings.momentum
    optimiser: torch.optim.Optimizer = torch.optim.SGD(
        weights, settings.lr, momentum, weight_decay=decay
    )
    if settings.optimiser == "adam":
        optimiser = torch.optim.Adam(weights, settings.lr, weight_decay=decay)
    rates = learning_rates(settings)
    first, log, sums = _resume(state, method, optimiser)
    method.train()
    for step, (inputs, y) in enumerate(stream(batches, first, settings.steps, workers), first):
        for group in optimiser.param_groups:
            group["lr"] = float(rates[step])
        batch = Batch({k: to_device(v, device) for k, v in inputs.items()}, y.to(device))
        loss, parts = method.loss(batch, seen)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if settings.grad_clip:
            torch.nn.utils.clip_grad_norm_(weights, settings.grad_clip)
        optimiser.step()

        for name, value in {"loss": loss, **parts}.items():
            sums[name] = sums.get(name, 0) + value.detach()
        done = step + 1
        logged = done % settings.log_every == 0 or done == settings.steps
        if (logged or device.type == "cpu") and not math.isfinite(sums["loss"].item()):
            raise Diverged(f"the loss is {loss.item()} at step {step}")
        if logged:
            count = (done - 1) % settings.log_every + 1
            means = {name: value.item() / count for name, value in sums.items()}
            log.append({"step": done, "lr": float(rates[step]), **means})
            sums = {}
        report(done)
        if settings.eval_every and (done % settings.eval_every == 0 or done == settings.steps):
            evaluate(done)
            method.train()
        every = settings.checkpoint_every
        if every and done % every == 0 and done < settings.steps:
            _save(state, method, optimiser, done, log, sums)
    return log


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


def _resume(
    state: Path, method: Method, optimiser: torch.optim.Optimizer
) -> tuple[int, Log, dict[str, Tensor]]:
    content = read_sealed(state)
    if content is None:
        return 0, [], {}
    whole = torch.load(io.BytesIO(content), weights_only=True)
    method.load_state_dict(whole["method"])
    optimiser.load_state_dict(whole["optimiser"])
    torch.set_rng_state(whole["random"])
    if "random_cuda" in whole:
        torch.cuda.set_rng_state(whole["random_cuda"])
    return whole["done"], whole["log"], whole["sums"]
