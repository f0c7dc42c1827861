"""`bench verify --tables`: the committed tables are what the committed records make."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from project import ROOT, run_bench

HEAVY = ("torch", "gensim", "av", "decord", "dvc", "pyarrow", "matplotlib", "torchvision")


def test_those_of_this_repository_without_torch() -> None:
    changed = subprocess.run(
        ["git", "status", "--porcelain", "results"], cwd=ROOT, capture_output=True, text=True
    )
    if changed.returncode or changed.stdout:
        pytest.skip("results differ from the committed ones")
    code = (
        "import sys\n"
        "from bench.cli.main import main\n"
        "sys.argv = ['bench', 'verify', '--tables']\n"
        "try:\n"
        "    main()\n"
        "finally:\n"
        f"    print(*[m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr.strip()) == (0, ""), done.stdout


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Give a copy of one profile's results."""
    for kind in ("records", "tables"):
        if not (ROOT / "results" / kind / "mini").is_dir():
            pytest.skip("no results")
        shutil.copytree(ROOT / "results" / kind / "mini", tmp_path / kind / "mini")
    shutil.copytree(ROOT / "results" / "inputs", tmp_path / "inputs")
    ended = run_bench(ROOT, "verify", "--tables", "--from", str(tmp_path))
    if ended.code:
        pytest.skip("the results are not those of the present records")
    return tmp_path


def test_what_was_edited_is_named(results: Path) -> None:
    tables = results / "tables" / "mini"
    text = (tables / "ablation.md").read_text()
    (tables / "ablation.md").write_text(text.replace("| ok", "| OK", 1))
    (tables / "sota.csv").unlink()
    (tables / "mine.md").write_text("")
    with (tables / "overlap.md").open("a") as handle:
        handle.write("more")
    code, out, err = run_bench(ROOT, "verify", "--tables", "--from", str(results))
    assert (code, err) == (1, "")
    line = next(i for i, one in enumerate(text.splitlines(), 1) if "| ok" in one)
    assert f"{tables}/ablation.md: differs first in line {line}\n" in out
    assert f"{tables}/sota.csv: missing\n" in out
    assert f"{tables}/mine.md: no table has this name\n" in out
    assert f"{tables}/overlap.md: differs first in line" in out
    assert out.endswith("profile mini: 30 files, 4 differ from what the records make\n")


def test_a_folder_that_has_none(tmp_path: Path) -> None:
    code, _, err = run_bench(ROOT, "verify", "--tables", "--from", str(tmp_path))
    assert code == 2
    assert "no records and no tables in it" in err
