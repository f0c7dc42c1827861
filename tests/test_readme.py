"""What the README shows is what the project has."""

import re
import subprocess
from pathlib import Path

import pytest
from project import run_bench

from bench.registry import MethodFile
from bench.training.contract import check_method

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= 150


def test_its_method_passes_the_contract(tmp_path: Path) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    path = tmp_path / "linear.py"
    path.write_text(block, encoding="utf-8")
    assert check_method(MethodFile("linear", path, "Linear")) == []


@pytest.mark.parametrize("profile", ["mini", "ucf15"])
def test_its_tables_are_the_committed_ones(profile: str) -> None:
    # The committed one, as another machine's own run may differ in the last digits.
    path = f"HEAD:results/tables/{profile}/ablation.md"
    shown_by_git = subprocess.run(["git", "show", path], cwd=ROOT, capture_output=True, text=True)
    if shown_by_git.returncode:
        pytest.skip("not a git checkout with committed results")
    rows = [line for line in shown_by_git.stdout.splitlines() if line[:1] == "|"]
    names = ("method", "Base", "AURL")
    shown = [line for line in rows if line.strip("| ").startswith(names)]
    assert shown
    assert [row for row in shown if cells(row) not in map(cells, README.splitlines())] == []


def test_the_page_of_methods_is_what_the_command_prints() -> None:
    changed = subprocess.run(
        ["git", "status", "--porcelain", "results"], cwd=ROOT, capture_output=True, text=True
    )
    if changed.returncode or changed.stdout:
        pytest.skip("results differ from the committed ones, of which the page tells")
    page = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    assert page == run_bench(ROOT, "methods", "--page").out, "run 'make docs'"


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("|")]
