"""The device that a process computes on, and how it is made to compute the same every time."""

import torch

from bench.errors import UserError


def prepare(wanted: str) -> torch.device:
    """Return the device: auto, cpu or cuda. On a CPU one thread, and deterministic algorithms."""
    cuda = wanted != "cpu" and torch.cuda.is_available()
    if wanted == "cuda" and not cuda:
        raise UserError("train.device is cuda, but torch sees no GPU")
    if not cuda:
        torch.set_num_threads(1)
        torch.set_flush_denormal(True)
    torch.backends.cudnn.allow_tf32 = False  # fp32 is fp32: convolutions would keep 10 bits of it
    torch.use_deterministic_algorithms(not cuda)
    # Nothing reads memory that nobody wrote; filling it costs a seventh of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    return torch.device("cuda" if cuda else "cpu")
