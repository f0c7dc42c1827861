"""`bench` alone: where one is, and the next command, by what is there."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from project import ROOT, Bench, write_index_file
from reports.tables.made_up import record

from bench.config.paths import Layout
from bench.config.profile import load_config
from bench.experiments.plan import plan
from bench.experiments.record import write_record
from bench.utils.io import locked


def steps(out: str) -> list[str]:
    """Return the commands below "next"."""
    below = out.split("\nnext\n")[1].splitlines()
    return [line.strip().partition("  ")[0] for line in below]


@pytest.fixture
def recorded(project: Path) -> Callable[..., None]:
    """Give a function that writes a record of every planned cell of mini, some in another state."""

    def write(status: str = "ok", reason: str = "", **parts: str) -> None:
        layout = Layout(project, "mini")
        layout.index.mkdir(parents=True, exist_ok=True)
        for name in load_config(project).profile.datasets:
            write_index_file(layout.index, name)
        for number, cell in enumerate(plan(load_config(project), layout)):
            if not cell.missing:
                other = {"status": status, "reason": reason} if number == 0 else {}
                own = cell.parts | (parts if number == 0 else {})
                made = record(cell.row, cell.seed, method=cell.method, parts=own, **other)
                write_record(layout.records, made)

    return write


def test_outside_of_a_project(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> None:
    code, out, err = bench(cwd=tmp_path_factory.mktemp("elsewhere"))
    assert (code, err) == (0, "")
    assert "No project is here" in out
    assert steps(out) == ["cd FOLDER", "bench new", "bench --help"]


def test_with_nothing_there(bench: Bench) -> None:
    code, out, _ = bench()
    assert code == 0
    assert "not built here" in out
    assert steps(out)[0] == "dvc repro"
    assert "bench table" not in out


def test_with_data_missing(bench: Bench, project: Path) -> None:
    path = project / "params.yaml"
    path.write_text(path.read_text().replace("profile: mini", "profile: paper", 1))
    out = bench().out
    assert "not found: ../kinetics700, ../ucf101, ../hmdb51" in out
    assert steps(out)[0] == "bench doctor"


def test_with_everything_done(bench: Bench, recorded: Callable[..., None]) -> None:
    recorded()
    out = bench().out
    assert steps(out)[0] == "bench table"
    assert "dvc repro" not in steps(out)


def test_with_a_failed_cell(bench: Bench, recorded: Callable[..., None]) -> None:
    recorded("failed", "the loss is nan at step 3")
    out = bench().out
    assert ", 1 failed" in out
    assert steps(out)[:2] == ["bench status", "dvc repro"]


def test_with_an_outdated_cell(bench: Bench, recorded: Callable[..., None]) -> None:
    recorded(source="another")
    out = bench().out
    assert ", 1 outdated" in out
    assert steps(out)[0] == "dvc repro"
    assert "train 1 cells" in out


def test_with_a_damaged_record(bench: Bench, project: Path, recorded: Callable[..., None]) -> None:
    recorded()
    (project / "results" / "records" / "mini" / "aurl.transfer.seed0.json").write_text("{")
    code, out, _ = bench()
    assert code == 0
    assert "aurl.transfer.seed0.json: not a valid record" in out
    assert steps(out)[0] == "bench status"


def test_while_a_training_runs(bench: Bench, project: Path) -> None:
    with locked(project / ".bench" / "mini" / "train.lock"):
        assert "training  running as process " in bench().out
    assert "training" not in bench().out


def test_it_names_only_commands_that_are_there(bench: Bench, recorded: Callable[..., None]) -> None:
    recorded()
    listed = bench("--help").out
    for step in steps(bench().out):
        command = step.split()[1]
        assert command == "--help" or f"\n  {command} " in listed


def test_it_takes_less_than_a_second_of_processor_time_and_no_torch() -> None:
    code = (
        "import sys, time\n"
        "from bench.cli.main import main\n"
        "sys.argv = ['bench']\n"
        "try:\n"
        "    main()\n"
        "except SystemExit:\n"
        "    print(time.process_time(), 'torch' in sys.modules, file=sys.stderr)\n"
    )
    best = 9.0
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
        )
        seconds, torch = done.stderr.split()
        assert torch == "False"
        best = min(best, float(seconds))
        if best < 1:
            break
        time.sleep(1)
    assert best < 1.5, "a second here; half of one more for a slow machine"
