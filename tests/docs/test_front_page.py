"""Every command of the README runs, in the project of the tutorial."""

import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import sandbox
from follow import Followed
from project import ROOT, Bench, run_tool
from shown import commands

from bench.data.synthetic.moving_shapes import write_h264
from bench.experiments.record import read_records, write_record

COMMANDS = list(commands(ROOT / "README.md"))


def put_video(root: Path) -> None:
    """Put a video where `--root ../ucf101` looks."""
    folder = root.parent / "ucf101" / "Archery"
    folder.mkdir(parents=True)
    write_h264(folder / "v_Archery_g01_c01.avi", np.zeros((3, 32, 48, 3), np.uint8))


def put_predictions(root: Path) -> None:
    """Put a file of predictions."""
    (root / "predictions.csv").write_text("predicted,label\nArchery,Archery\nBiking,Archery\n")


def write_tables(root: Path) -> None:
    """Write the tables of the records that are there now."""
    sandbox.bench(root, "stage", "table")


def commit_another_training(root: Path) -> None:
    """Commit the records as another training would have left them, and put back what is there."""
    folder = root / "results" / "records" / "tiny"
    own = read_records(folder)
    for record in own:
        write_record(folder, record.model_copy(update={"started": "earlier"}))
    run_tool(root, "git", "init", "-q")
    run_tool(root, "git", "add", "--force", "results")
    run_tool(root, "git", "commit", "--no-verify", "-qm", "theirs")
    for record in own:
        write_record(folder, record)


RUN = [c for c in COMMANDS if c.startswith("bench ") and "classify" not in c]
BEFORE: dict[str, Callable[[Path], None]] = {
    "bench data index ucf101 --root ../ucf101": put_video,
    "bench score predictions.csv --dataset ucf101": put_predictions,
    "bench verify --against HEAD": commit_another_training,
    "bench verify --tables": write_tables,
}
SLOW = ("bench train aurl --readings", "bench verify aurl")  # the tutorial does the same with soft


def test_what_is_not_a_bench_command() -> None:
    """The rest runs elsewhere: make in CI, dvc in the slow form of the tutorial."""
    rest = [command for command in COMMANDS if command not in RUN]
    assert rest[:4] == ["make repro", "make test", "bench", "dvc repro"]
    assert [command.split()[1] for command in rest[4:]] == [
        "classify"
    ]  # needs videos: tests/test_api*


@pytest.mark.parametrize(
    "command",
    [pytest.param(one, marks=pytest.mark.slow if one in SLOW else ()) for one in RUN],
)
def test_it_runs(command: str, followed: Followed) -> None:
    BEFORE.get(command, lambda root: None)(followed.root)
    _, *words = shlex.split(command)
    assert sandbox.bench(followed.root, *words)


def test_the_template_of_a_method_passes_its_check(followed: Followed) -> None:
    sandbox.bench(followed.root, "new", "linear")
    assert sandbox.bench(followed.root, "check", "linear") == "linear: ok\n"


def test_doctor_says_what_the_paper_profile_lacks(bench: Bench) -> None:
    ended = bench("doctor", "-p", "paper")
    assert (ended.code, ended.err) == (1, "")
    assert "missing  kinetics700: " in ended.out
