"""What the README shows is what the project has."""

import re
import subprocess
from pathlib import Path

import pytest
from project import run_bench

from bench.experiments.method_registry import MethodFile
from bench.training.method_check import check_method

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= 150


def test_its_method_passes_the_contract(tmp_path: Path) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    path = tmp_path / "linear.py"
    path.write_text(block, encoding="utf-8")
    assert check_method(MethodFile("linear", path, "Linear")) == []


@pytest.mark.parametrize(
    ("page", "profile"),
    [("README.md", "mini"), ("docs/results.md", "mini"), ("docs/results.md", "ucf15")],
)
def test_tables_are_the_committed_ones(page: str, profile: str) -> None:
    """Some columns of the ablation table in the README, all of them on the page of results."""
    # The committed one, as another machine's own run may differ in the last digits.
    path = f"HEAD:results/tables/{profile}/ablation.md"
    shown_by_git = subprocess.run(["git", "show", path], cwd=ROOT, capture_output=True, text=True)
    if shown_by_git.returncode:
        pytest.skip("not a git checkout with committed results")
    committed = tables(shown_by_git.stdout)[0]
    assert committed
    text = (ROOT / page).read_text(encoding="utf-8")
    shown = [
        t for t in tables(text) if t and set(t[0]) <= set(committed[0]) and profile in str(t[0])
    ]
    names = ("Base", "AURL")
    ours = [row for row in committed if row["method"].startswith(names)]
    assert [[{k: row[k] for k in t[0]} for row in ours] for t in shown] == shown
    assert len(shown) == 1
    assert page == "README.md" or shown[0] == ours


def test_the_page_of_methods_describes_the_methods() -> None:
    page, printed = (re.sub(r" Measured: .*? Published:", "", text) for text in method_pages())
    assert page == printed, "run 'make docs'"


@pytest.mark.usefixtures("committed_results")
def test_the_page_of_methods_shows_the_measured_numbers() -> None:
    page, printed = method_pages()
    assert page == printed, "run 'make docs'"


def method_pages() -> tuple[str, str]:
    """Return docs/methods.md as it is, and as `make docs` would write it."""
    page = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    return page, run_bench(ROOT, "methods", "--page").out


def tables(text: str) -> list[list[dict[str, str]]]:
    """Return the Markdown tables of a text, each row as column -> cell."""
    found = re.findall(r"((?:^\|.*\n)+)", text + "\n", re.MULTILINE)
    split = [
        [[c.strip() for c in line.strip("|").split("|")] for line in t.splitlines()] for t in found
    ]
    return [[dict(zip(t[0], row, strict=False)) for row in t[2:]] for t in split]
