"""Completion in a shell: names of what is there, in well under a second, never an error."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from project import ROOT
from pty_run import CODE


def completed(folder: Path, line: str) -> list[str]:
    """Return what bash is offered after ``line``, as its hook asks."""
    env = {"_BENCH_COMPLETE": "complete_bash", "COMP_WORDS": line}
    env |= {"COMP_CWORD": str(len(line.split()) - (not line.endswith(" ")))}
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        cwd=folder,
        env=os.environ | env,
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("bench tab", ["table"]),
        ("bench table --which so", ["sota"]),
        ("bench table -p uc", ["ucf15"]),
        ("bench methods base_ls", ["base_ls", "base_ls_e2e"]),
        ("bench train aurl+w", ["aurl+w_init=normal"]),
        ("bench stage sp", ["splits"]),
        ("bench splits show ucf", ["ucf101", "ucf15"]),
        ("bench splits show ucf101 tru", ["truze", "truze67"]),
        ("bench splits overlap --test ucf101,hm", ["ucf101,hmdb51"]),
        ("bench record show aurl.transfer.s", [f"aurl.transfer.seed{i}" for i in range(3)]),
        (
            "bench record show -p ucf15 tarn.ucf15.fifty-fifty.00",
            ["tarn.ucf15.fifty-fifty.00.seed0"],
        ),
        ("bench doctor --format j", ["json"]),
    ],
)
def test_names_are_completed(line: str, offered: list[str]) -> None:
    assert sorted(completed(ROOT, line)) == offered


def test_outside_of_a_project_and_with_broken_parameters_nothing_is_offered(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert completed(tmp_path_factory.mktemp("elsewhere"), "bench table -p ") == []
    (project / "params.yaml").write_text("profiles: [")
    assert completed(project, "bench table -p ") == []


def test_it_can_be_installed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE, "--show-completion", "bash"],
        env=os.environ
        | {"HOME": str(tmp_path), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert "_BENCH_COMPLETE=complete_bash" in done.stdout
