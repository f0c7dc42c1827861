"""Worker processes that exit when their parent dies, even on SIGKILL."""

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from threading import Thread
from typing import Any, TypeVar

from bench.errors import UserError


def spawned(
    count: int, initialise: Callable[..., object] | None = None, *args: Any
) -> ProcessPoolExecutor:
    """Return an executor of ``count`` fresh processes, each of which first runs ``initialise``.

    They are spawned: a fork copies the locks of libraries without the threads that release them.
    """
    return ProcessPoolExecutor(count, get_context("spawn"), _begin, (initialise, args))


def _begin(initialise: Callable[..., object] | None, args: tuple[Any, ...]) -> None:
    Thread(target=_end_with_parent, daemon=True).start()
    if initialise is not None:
        initialise(*args)


def _end_with_parent() -> None:
    """End this process, idle or not, when its parent is killed.

    The executor's queue does not show this: every worker holds both of its ends.
    """
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


T = TypeVar("T")
R = TypeVar("R")

TIMEOUT = 600.0
"""Seconds for one file: decoding an hour of small video takes about two minutes."""

TIMED_OUT = "timed out"
DIED = "its process died"


@dataclass(frozen=True)
class Lost:
    """Why a task has no result."""

    reason: str


def run(
    function: Callable[[T], R], tasks: Iterable[T], jobs: int, timeout: float = TIMEOUT
) -> Iterator[tuple[T, R | Lost]]:
    """Yield each task with ``function(task)``, unordered, from at most ``jobs`` processes.

    ``function`` and tasks are pickled; ``tasks`` is read as results are, so memory is bounded.
    A task that raises, takes more than ``timeout`` seconds or kills its process is ``Lost``, and
    the next ones get a new process. Raises UserError if processes cannot be started at all.
    """
    todo = iter(tasks)
    first = list(islice(todo, jobs))
    idle = [_start(function, timeout) for _ in first]  # all of them start at the same time
    busy: dict[Connection, tuple[BaseProcess, T]] = {}
    try:
        for task in first:
            _send(busy, *_ready(idle.pop()), task)
        while busy:
            for pipe in wait(list(busy)):
                assert isinstance(pipe, Connection)
                process, task = busy[pipe]
                try:
                    result = pipe.recv()
                except (EOFError, OSError):
                    process.join()
                    result = Lost(_cause(process.exitcode, timeout))
                del busy[pipe]
                for following in islice(todo, 1):
                    if process.exitcode is not None:
                        pipe.close()
                        process, pipe = _ready(_start(function, timeout))
                    _send(busy, process, pipe, following)
                    break
                else:
                    pipe.close()  # which ends the process
                yield task, result
    finally:
        for process, _ in [*idle, *((process, None) for process, _ in busy.values())]:
            process.kill()
            process.join()


def _start(function: Callable[[T], R], timeout: float) -> tuple[BaseProcess, Connection]:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, function, timeout), daemon=True)
    process.start()
    theirs.close()  # so that the end of the process is the end of the pipe
    return process, ours


def _ready(started: tuple[BaseProcess, Connection]) -> tuple[BaseProcess, Connection]:
    """Wait until a process has imported its modules, which does not count as a task's time."""
    process, pipe = started
    try:
        pipe.recv()
    except (EOFError, OSError):
        process.join()
        raise UserError(
            f"a worker process ended as it started (exit code {process.exitcode}; out of memory?); "
            "try fewer with --jobs"
        ) from None
    return started


def _send(
    busy: dict[Connection, tuple[BaseProcess, T]], process: BaseProcess, pipe: Connection, task: T
) -> None:
    with suppress(BrokenPipeError):  # it died since: found by reading from it
        pipe.send(task)
    busy[pipe] = (process, task)


def _serve(pipe: Connection, function: Callable[[T], R], timeout: float) -> None:
    """Run tasks until the parent closes the pipe or ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's
    # The kernel ends this process at the alarm, even in a library's endless loop, even if the
    # parent has been killed meanwhile.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    with suppress(EOFError, OSError):
        pipe.send(None)
        while True:
            task = pipe.recv()
            signal.setitimer(signal.ITIMER_REAL, timeout)
            try:
                result: R | Lost = function(task)
            except Exception as error:
                lines = str(error).splitlines() or [""]
                result = Lost(f"{type(error).__name__}: {lines[0]}".rstrip(": "))
            signal.setitimer(signal.ITIMER_REAL, 0)
            pipe.send(result)


def _cause(code: int | None, timeout: float) -> str:
    if code == -signal.SIGALRM:
        return f"{TIMED_OUT} after {timeout:g} s"
    if code is not None and code < 0:
        return f"{DIED} ({signal.Signals(-code).name})"
    return f"{DIED} (exit code {code})"
