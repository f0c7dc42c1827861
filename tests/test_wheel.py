"""The wheel, installed in a folder of its own, starts a project elsewhere and runs its pipeline."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from project import ROOT, Ended, keep_methods, tiny_parameters, write_tiny
from ruamel.yaml import YAML

from bench.experiments.fingerprint import code_digest
from bench.utils.io import read_json

SOURCES = ("bench", "methods", ".dvc")
FILES = ("params.yaml", "dvc.yaml", ".dvcignore", ".gitignore", "setup.py", "pyproject.toml")
CORE = Path("bench", "training", "run_cell.py")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the wheel, built from a copy of the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    unwanted = shutil.ignore_patterns("__pycache__", "tmp", "cache", "*.local")
    for name in SOURCES:
        shutil.copytree(ROOT / name, folder / "source" / name, ignore=unwanted)
    for name in (*FILES, "README.md"):
        shutil.copy(ROOT / name, folder / "source" / name)
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "-w", str(folder), str(folder / "source")], check=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def site(wheel: Path) -> Path:
    """Give the folder that the wheel is installed in."""
    target = wheel.parent / "site"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--target", str(target), str(wheel)], check=True)
    return target


def run(site: Path, folder: Path, *words: str) -> Ended:
    """Run a command with the installed package alone."""
    places = [str(site / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
    changed = {"PYTHONPATH": str(site), "PATH": os.pathsep.join(places), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        words, cwd=folder, env=os.environ | changed, capture_output=True, text=True
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def make_tiny(folder: Path) -> None:
    """Give a started project a profile of tiny features, and one method."""
    keep_methods(folder, "base_ls")
    write_tiny(folder)
    with (folder / "params.yaml").open("w") as handle:
        YAML(typ="safe").dump(tiny_parameters(steps=20) | {"train": {}}, handle)


def test_it_holds_one_package_with_its_data(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"bench"}
    wanted = {
        "bench/data/reference/published.csv",
        "bench/starter/dvc.yaml",
        "bench/starter/.dvc/config",
    }
    assert wanted <= set(names)
    assert {f"bench/starter/methods/{p.name}" for p in (ROOT / "methods").glob("*.py")} <= set(
        names
    )


def test_a_project_runs_and_an_unchanged_one_does_not(site: Path, tmp_path: Path) -> None:
    assert run(site, tmp_path, "bench", "new").code == 0
    make_tiny(tmp_path)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    first = run(site, tmp_path, "dvc", "repro")
    assert first.code == 0, first
    ended = run(site, tmp_path, "bench", "table")
    assert ended.code == 0 and "Base w/ L_S" in ended.out
    again = run(site, tmp_path, "dvc", "repro")
    assert again.code == 0 and "Running stage 'train'" not in again.out
    assert again.out.count("Running stage") == 1  # code
    (record, *_) = sorted((tmp_path / "results" / "records" / "tiny").glob("*.json"))
    parts = read_json(record)["parts"]
    assert parts["core"] == code_digest(ROOT / CORE, ROOT)  # as a checkout has it
    method = ROOT / "methods" / "base_ls.py"
    assert parts["source"] == code_digest(method, ROOT)
    verified = run(site, tmp_path, "bench", "verify", "--cell", record.stem)
    assert verified.code == 0, verified


def test_an_upgrade_wakes_the_stages_whose_code_it_changes(site: Path, tmp_path: Path) -> None:
    upgraded = tmp_path / "site"
    shutil.copytree(site, upgraded)
    folder = tmp_path / "project"
    folder.mkdir()
    run(upgraded, folder, "bench", "new")
    before = read_json(_code(upgraded, folder))
    cells = upgraded / "bench" / "reports" / "tables" / "typed_table.py"
    text = cells.read_text(encoding="utf-8")
    assert 'MISSING = "—"' in text
    cells.write_text(text.replace('MISSING = "—"', 'MISSING = "-"'), encoding="utf-8")
    after = read_json(_code(upgraded, folder))
    assert {name for name in before if before[name] != after[name]} == {"report", "table"}


def _code(site: Path, folder: Path) -> Path:
    assert run(site, folder, "bench", "stage", "code").code == 0
    return folder / "results" / "code.json"
