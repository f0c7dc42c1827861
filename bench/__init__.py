"""AURL-Bench: a reproducibility benchmark for zero-shot video classification.

In a notebook: ``bench.load``, ``bench.classify``, ``bench.table``, ``bench.results`` and
``bench.splits`` (docs in ``bench.api``); they raise ``bench.UserError`` for bad
input. They are loaded when first used, so that importing bench costs nothing.
"""

from importlib import import_module

__version__ = "0.1.0"
__all__ = ["UserError", "classify", "load", "results", "splits", "table"]
_HOME = {"UserError": "bench.errors"}


def __getattr__(name: str) -> object:
    if name in __all__:
        return getattr(import_module(_HOME.get(name, "bench.api")), name)
    raise AttributeError(f"module 'bench' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
