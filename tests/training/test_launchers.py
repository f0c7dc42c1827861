"""Workers and jobs of a cluster: a cell that dies or changes its process harms no other."""

import os
import signal
import sys
import tempfile
import threading
import time
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from project import run_bench, tiny_project

from bench.training import launchers as pool
from bench.utils.io import read_json

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


@pytest.mark.slow
def test_cells_as_jobs_end_as_those_of_workers_do(tmp_path: Path) -> None:
    tiny_project(tmp_path, 20, "base_ls")
    (tmp_path / "methods" / "dies.py").write_text(
        (tmp_path / "methods" / "base_ls.py").read_text() + "\n\nimport os\n"
        "BaseLS.loss = lambda *_: os._exit(9)\n"
    )
    for stage in ("data", "words", "splits", "inputs"):
        assert run_bench(tmp_path, "stage", stage).code == 0
    local = ("train", "--launcher", "local")
    ended = run_bench(tmp_path, *local, "--launcher-option", "timeout_min=5")
    assert ended.code == 2
    for draw in ("00", "01"):
        assert f"base_ls.tiny.fifty-fifty.{draw}.seed0: ok" in ended.out
        assert f"dies.tiny.fifty-fifty.{draw}.seed0: failed, its job" in ended.out
    failures = read_json(tmp_path / "runs" / "tiny" / "failures.json")
    assert "died" in failures["dies.tiny.fifty-fifty.00.seed0"]["reason"]
    again = run_bench(tmp_path, *local, "base_ls")
    assert (again.code, "2 of 2 cells done, 0 to train" in again.out) == (0, True)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--launcher", "slrum"), "unknown launcher 'slrum'; did you mean 'slurm'?"),
        (("--launcher-option", "a=1"), "needs --launcher"),
        (("--launcher", "local", "--launcher-option", "a"), "expected KEY=VALUE"),
        (("--launcher", "local", "--launcher-option", "a=1"), "--launcher-option: "),
        (("--launcher", "slurm"), "run it where sbatch is"),
    ],
)
def test_what_the_launcher_cannot_do_is_said_in_one_line(
    project: Path, words: tuple[str, ...], reason: str
) -> None:
    ended = run_bench(project, "train", *words)
    assert ended.code == 2
    assert reason in ended.err
    assert ended.err.count("\n") == 1


def test_without_submitit_it_is_said_how_to_get_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "submitit", None)
    ended = run_bench(project, "train", "--launcher", "local")
    assert (ended.code, "aurl-bench[cluster]" in ended.err) == (2, True)
