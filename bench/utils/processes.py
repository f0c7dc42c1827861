"""Processes that work for this one and end with it, however it ends: ``kill -9`` leaves none."""

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import Any


def spawned(
    count: int, initialise: Callable[..., object] | None = None, *args: Any
) -> ProcessPoolExecutor:
    """Return an executor of ``count`` fresh processes, each of which first runs ``initialise``.

    They are spawned, not forked: a fork copies a library's locks, but not the threads that would
    open them.
    """
    return ProcessPoolExecutor(count, get_context("spawn"), _begin, (initialise, args))


def _begin(initialise: Callable[..., object] | None, args: tuple[Any, ...]) -> None:
    Thread(target=_end_with_parent, daemon=True).start()
    if initialise is not None:
        initialise(*args)


def _end_with_parent() -> None:
    """End this process, idle or not, when its parent is killed: nobody waits for its results.

    The executor's queue would not tell it: every worker holds both ends of that.
    """
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
