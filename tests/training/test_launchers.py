"""Workers: what a cell leaves behind, or a stop of them all, harms no other cell."""

import os
import signal
import tempfile
import threading
import time
from multiprocessing import get_context
from types import SimpleNamespace
from typing import Any

import pytest

from bench.training import launchers as pool

TRAIN = SimpleNamespace(stall_s=1, device="cpu")


def tried(job: Any, report: Any) -> tuple[str, str]:
    """Stand in for a cell; the reason is the worker's process."""
    if job.cell == "hangs":
        time.sleep(1000)
    if job.cell == "spoils":
        threading.Thread(target=time.sleep, args=(1000,)).start()
        folder = tempfile.mkdtemp()
        os.chdir(folder)
        os.rmdir(folder)
    return "ok", str(os.getpid())


def work(job: Any) -> pool.Ended:
    pool._attempt = tried
    return pool._work(job)


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each look at the workers come so late as if all had been stopped in between."""
    submit = pool.ProcessPoolExecutor.submit
    monkeypatch.setattr(
        pool.ProcessPoolExecutor, "submit", lambda self, _, j: submit(self, work, j)
    )
    monkeypatch.setattr(pool, "ASLEEP", 0.2)


def test_each_cell_ends_well_whatever_happened_to_the_worker_before(stopped: None) -> None:
    """A worker starts in more than stall_s: a watch that counts while all stand would end it."""
    jobs = [SimpleNamespace(cell=name, train=TRAIN) for name in ("first", "spoils", "last")]
    ended: dict[str, pool.Outcome] = {}
    for one in pool.run_jobs(jobs, 1, 0, lambda _: time.sleep(0.3)):  # type: ignore[arg-type]
        ended[one.job.cell] = one
        if one.job.cell == "first":
            os.kill(int(one.reason), signal.SIGKILL)  # dies between two cells
            time.sleep(0.5)
    assert {name: one.status for name, one in ended.items()} == dict.fromkeys(
        ("first", "spoils", "last"), "ok"
    )
    assert len({one.reason for one in ended.values()}) == 3  # a worker each
    with pytest.raises(ProcessLookupError):
        os.kill(int(ended["spoils"].reason), 0)  # its thread does not keep it


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_that_meets_a_destructor_is_not_lost(stopped: None) -> None:
    class Interrupts:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    jobs = [SimpleNamespace(cell="hangs", train=SimpleNamespace(stall_s=0, device="cpu"))]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's & ignores it
    try:
        with pytest.raises(KeyboardInterrupt):
            for _ in pool.run_jobs(jobs, 1, 0, lambda _: Interrupts() and None):  # type: ignore[arg-type]
                pass
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_worker_that_its_executor_does_not_know_of_yet_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An interrupt may come between a worker's start and its entry: the exit would wait for it."""

    unknown = get_context("spawn").Process(target=time.sleep, args=(1000,))

    def started(self: Any, *_: Any) -> None:
        unknown.start()
        raise KeyboardInterrupt

    monkeypatch.setattr(pool.ProcessPoolExecutor, "submit", started)
    jobs = [SimpleNamespace(cell="c", train=TRAIN)]
    with pytest.raises(KeyboardInterrupt):
        list(pool.run_jobs(jobs, 1, 0, lambda _: None))  # type: ignore[arg-type]
    # Not all children: an earlier test's may have been reaped by a thread that has not said so.
    unknown.join(timeout=30)
    assert unknown.exitcode == -signal.SIGKILL


@pytest.mark.parametrize(("said", "wanted"), [("6, 7", ["6", "7", "6"]), (None, ["0", "1", "2"])])
def test_cells_take_the_gpus_that_the_user_leaves_them(
    monkeypatch: pytest.MonkeyPatch, said: str | None, wanted: list[str]
) -> None:
    taken = []
    for slot in range(3):
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        if said is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", said)
        pool._initialise(None, slot, 3)
        taken.append(os.environ["CUDA_VISIBLE_DEVICES"])
    assert taken == wanted
