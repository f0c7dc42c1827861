"""`bench verify --tables`: the committed tables are what the committed records make."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from project import ROOT, run_bench

from bench.config.paths import Layout
from bench.config.profile import load_config
from bench.pipeline.verify.tables import Published, same_content
from bench.reports.tables import render_all
from bench.reports.tables.context import read_context
from bench.utils.io import write_text

HEAVY = ("torch", "gensim", "av", "decord", "dvc", "pyarrow", "matplotlib", "torchvision")


@pytest.mark.usefixtures("committed_results")
@pytest.mark.parametrize("kernel", ["Prescott", "Haswell"])  # every x86-64 CPU of today has both
def test_those_of_this_repository_without_torch(kernel: str) -> None:
    code = (
        "import sys\n"
        "from bench.cli.main import main\n"
        "sys.argv = ['bench', 'verify', '--tables']\n"
        "try:\n"
        "    main()\n"
        "finally:\n"
        f"    print(*[m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)\n"
    )
    environment = {**os.environ, "OPENBLAS_CORETYPE": kernel}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, env=environment
    )
    assert (done.returncode, done.stderr.strip()) == (0, ""), done.stdout


def test_latex_has_no_sign_that_pdflatex_lacks() -> None:
    files = sorted((ROOT / "results" / "tables").rglob("*.tex"))
    assert files and [file for file in files if not file.read_text("utf-8").isascii()] == []


def test_nothing_of_the_own_results_stands_for_theirs(tmp_path: Path) -> None:
    own, theirs = Layout(ROOT, "mini"), Published(ROOT, "mini", tmp_path)
    names = [name for name, one in vars(Layout).items() if isinstance(one, property)]
    published = [n for n in names if getattr(own, n).is_relative_to(ROOT / "results")]
    assert {"records", "tables", "audit", "inputs_status"} <= {*published}
    assert [n for n in published if not getattr(theirs, n).is_relative_to(tmp_path)] == []


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Give a copy of one profile's results, with the tables that its records make."""
    for kind in ("records", "inputs", "audit"):
        shutil.copytree(ROOT / "results" / kind, tmp_path / kind)
    for other in (tmp_path / "records").iterdir():
        if other.name != "mini":
            shutil.rmtree(other)
    layout = Published(ROOT, "mini", tmp_path)
    for name, text in render_all(read_context(load_config(ROOT, "mini"), layout)).items():
        write_text(layout.tables / name, text)
    return tmp_path


def test_what_was_edited_is_named(results: Path) -> None:
    tables = results / "tables" / "mini"
    code, out, _ = run_bench(ROOT, "verify", "--tables", "--from", str(results))
    assert (code, out) == (0, "profile mini: 30 files, 0 differ from what the records make\n")
    lines = (tables / "ablation.md").read_text().split("\n")
    lines[4] += "edited"
    (tables / "ablation.md").write_text("\n".join(lines))
    (tables / "sota.csv").unlink()
    (tables / "mine.md").write_text("")
    with (tables / "overlap.md").open("a") as handle:
        handle.write("more")
    code, out, err = run_bench(ROOT, "verify", "--tables", "--from", str(results))
    assert (code, err) == (1, "")
    assert f"{tables}/ablation.md: differs first in line 5\n" in out
    assert f"{tables}/sota.csv: missing\n" in out
    assert f"{tables}/mine.md: no table has this name\n" in out
    assert f"{tables}/overlap.md: differs first in line" in out
    assert out.endswith("profile mini: 30 files, 4 differ from what the records make\n")


def test_numbers_are_compared_as_numbers() -> None:
    assert same_content(b'{"a": [0.1234567890123]}', b'{"a": [0.1234567890125]}')
    assert not same_content(b'{"a": [0.12345]}', b'{"a": [0.12346]}')
    assert not same_content(b'{"a": 1, "b": 2}', b'{"b": 2, "a": 1}')
    assert not same_content(b"0.1234567890123,b", b"0.1234567890125,b")  # CSV


def test_a_folder_that_has_none(tmp_path: Path) -> None:
    code, _, err = run_bench(ROOT, "verify", "--tables", "--from", str(tmp_path))
    assert code == 2
    assert "no records and no tables in it" in err
