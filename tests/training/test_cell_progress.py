"""What one sees of a training: losses of the cells that run, the time left, lines for a file."""

import math
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from project import run_bench
from pty_run import ESCAPE, on_terminal
from test_end_to_end import make, parameters

from bench.training import launchers as pool
from bench.training.cell_progress import TimeLeft, Watch
from bench.training.launchers import Outcome, Running
from bench.utils.io import read_json


def job(name: str, steps: int = 100, seed: int = 0) -> Any:
    learning = "steps" if steps else "closed form"
    return SimpleNamespace(
        cell=f"{name}.transfer.seed{seed}",
        method=SimpleNamespace(name=name, learning=learning),
        train=SimpleNamespace(steps=steps),
        checkpoint=None,
        facts={"row": name, "split": "transfer", "seed": seed},
    )


def test_nothing_is_said_of_the_time_before_anything_tells() -> None:
    left = TimeLeft([job("a")], 1)
    assert left.left([]) is None
    assert left.left([Running(job("a"), 2, math.nan, 1.0)]) is None  # its start, not its pace


def test_the_time_left_is_by_method() -> None:
    slow, quick = [job("slow", seed=i) for i in range(3)], [job("quick", seed=i) for i in range(4)]
    left = TimeLeft([*slow, *quick], 1)
    left.end(Outcome(slow[0], "ok", "", 100.0))
    left.end(Outcome(quick[0], "ok", "", 10.0))
    assert left.left([]) == 2 * 100 + 3 * 10
    # One that runs is as far as its seconds say; a failure does not count as quick.
    left.end(Outcome(quick[1], "failed", "its process died", 0.1))
    assert left.left([Running(slow[1], 30, 1.0, 40.0)]) == 100 + 60 + 2 * 10


def test_a_cell_that_runs_tells_of_its_method_and_cells_run_side_by_side() -> None:
    jobs = [job("a", seed=i) for i in range(4)]
    running = [Running(jobs[0], 25, 1.0, 10.0), Running(jobs[1], 25, 1.0, 10.0)]
    assert TimeLeft(jobs, 2).left(running) == pytest.approx((4 * 40 - 20) / 2)


def test_lines_where_no_bar_can_move(capsys: pytest.CaptureFixture[str]) -> None:
    jobs = [job("a"), job("b", steps=0)]
    with Watch(jobs, 1, every=0) as watch:
        watch.tick([Running(jobs[0], 0, math.nan, 1.0)])
        watch.tick([Running(jobs[0], 50, 1.2345, 30.0)])
        watch.finish(Outcome(jobs[0], "ok", "", 60.0, 0.5))
        watch.finish(Outcome(jobs[1], "failed", "bad \x1b[2J name", 1.0))
    out, err = capsys.readouterr()
    first, second = err.splitlines()
    assert first.endswith("a.transfer.seed0: 0/100")
    assert second.startswith("0/2 cells, ") and "about" in second
    assert second.endswith("a.transfer.seed0: 50/100, loss 1.23")
    assert out.splitlines() == [
        "[1/2] a.transfer.seed0: ok, 60.0 s, loss 0.5, about 60 s left",
        r"[2/2] b.transfer.seed0: failed, bad \u001b[2J name",
    ]


def test_a_worker_reports_steps_and_loss_to_its_own_place(monkeypatch: pytest.MonkeyPatch) -> None:
    shared = [0.0] * 6
    monkeypatch.setattr(pool, "_progress", (shared, 1))
    pool._report(50, 0.25)
    assert (shared[1], shared[5]) == (50.0, 0.25)
    assert shared[3] > 0 and shared[0] == shared[2] == shared[4] == 0


@pytest.mark.slow
def test_a_training_on_a_terminal_shows_each_cells_loss(tmp_path: Path) -> None:
    make(tmp_path, "base_ls")
    parameters(tmp_path, steps=2000)  # so long that the screen is drawn meanwhile
    for stage in ("data", "words", "splits", "inputs"):
        assert run_bench(tmp_path, "stage", stage).code == 0
    code, drawn = on_terminal(tmp_path, "train", "-j", "2", columns=80)
    text = ESCAPE.sub("", drawn)
    assert code == 0
    assert re.search(r"base_ls 0[01] seed 0 +\S+ \d+/2000, loss [\d.]+", text)
    assert "about" in text and " steps/s" in text
    for draw in ("00", "01"):
        name = f"base_ls.tiny.fifty-fifty.{draw}.seed0"
        losses = read_json(tmp_path / "runs" / "tiny" / name / "run.json")["losses"]
        assert f"{name}: ok, " in text
        assert f", loss {losses['loss']:.3g}" in text
