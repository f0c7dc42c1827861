"""Work in other processes: hanging, crashing and raising tasks cost themselves alone."""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from bench.errors import UserError
from bench.utils.worker_pool import Lost, run


def work(task: str) -> str:
    if task == "hang":
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # as a library's loop would
        while True:
            time.sleep(0.1)
    if task == "die":
        os.kill(os.getpid(), signal.SIGSEGV)
    if task == "exit":
        os._exit(3)
    if task == "raise":
        raise ValueError("first line\nsecond")
    return task.upper()


class Unloadable:
    """What a worker cannot even receive."""

    def __reduce__(self) -> tuple[object, tuple[int]]:
        return os._exit, (7,)

    def __call__(self, task: str) -> str:
        return task


def test_every_task_has_one_result_whatever_others_do() -> None:
    tasks = ["a", "hang", "b", "die", "exit", "c", "raise", "d"]
    started = time.monotonic()
    found = list(run(work, tasks, 2, timeout=1.0))
    assert time.monotonic() - started < 20
    assert len(found) == len(tasks)
    assert dict(found) == {
        **{task: task.upper() for task in "abcd"},
        "hang": Lost("timed out after 1 s"),
        "die": Lost("its process died (SIGSEGV)"),
        "exit": Lost("its process died (exit code 3)"),
        "raise": Lost("ValueError: first line"),
    }


def test_no_task_needs_no_process() -> None:
    started = time.monotonic()
    assert list(run(work, [], 4)) == []
    assert time.monotonic() - started < 0.1


def test_tasks_are_read_as_results_are() -> None:
    taken = 0

    def tasks() -> Iterator[str]:
        nonlocal taken
        while True:
            taken += 1
            yield "a"

    results = run(work, tasks(), 2)
    for _ in range(5):
        next(results)
    results.close()  # type: ignore[attr-defined]
    assert taken <= 5 + 2


def test_workers_that_cannot_start_are_the_users_to_know() -> None:
    with pytest.raises(UserError, match=r"as it started \(exit code 7"):
        list(run(Unloadable(), ["a", "b"], 2))
