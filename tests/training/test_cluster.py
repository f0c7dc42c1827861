"""Cells as jobs of a cluster, with submitit's executor for this machine."""

import sys
from pathlib import Path

import pytest
from project import run_bench, tiny_project

from bench.utils.io import read_json


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
