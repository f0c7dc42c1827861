"""What a method may leave behind in its process that would change another method's numbers."""

import gc
import os
import random
import resource
import sys
import threading
from types import ModuleType
from typing import Any

import numpy as np
import torch

_LIMITS = (resource.RLIMIT_AS, resource.RLIMIT_DATA, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE)


def process_state() -> dict[str, Any]:
    """Return the settings of this process that numbers depend on, but for the random generators.

    Those are seeded anew for each cell. Functions of torch and of the project count by identity, so
    that a replaced one is noticed.
    """
    cudnn = torch.backends.cudnn
    denormal = torch.tensor(1e-39)
    return {
        "dtype": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "gradients": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "anomalies": torch.is_anomaly_enabled(),
        "threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "filled": torch.utils.deterministic.fill_uninitialized_memory,  # type: ignore[attr-defined]
        "denormals": bool(denormal.mul(1) == 0),
        "matmul": torch.get_float32_matmul_precision(),
        "cudnn": (cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32),
        "numpy": tuple(sorted(np.geterr().items())),
        "folder": os.getcwd(),
        # Decord adds to PATH when it is imported, which every cell with that backend would do.
        "environment": {k: v for k, v in os.environ.items() if k != "PATH"},
        "garbage": gc.isenabled(),
        "limits": [resource.getrlimit(kind) for kind in _LIMITS],
        "running": set(threading.enumerate()),
        "functions": {name: _functions(module) for name, module in _watched()},
    }


def changed(before: dict[str, Any]) -> list[str]:
    """Name what differs from an earlier ``process_state``.

    Modules imported since do not count, nor do threads that have ended.
    """
    now = process_state()
    now["running"] |= before["running"]
    now["functions"] = {k: v for k, v in now["functions"].items() if k in before["functions"]}
    return [name for name, value in before.items() if now[name] != value]


def _watched() -> list[tuple[str, ModuleType]]:
    own = [name for name in sys.modules if name.startswith("bench.")]
    modules = {name: sys.modules[name] for name in own}
    return [*modules.items(), ("torch", torch), ("F", torch.nn.functional), ("random", random)]


def _functions(module: ModuleType) -> dict[str, int]:
    """Return name -> identity of a module's callables."""
    return {k: id(v) for k, v in list(vars(module).items()) if callable(v)}
