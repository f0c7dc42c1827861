"""A lab shares results: a clone prints, another pulls, scores and trains on, from a DVC remote."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from project import ROOT, TINY_CLASSES, copy_project, run_bench, tiny_parameters
from ruamel.yaml import YAML

from bench.cli.stages import STAGES
from bench.data.index import read_index

CLASSES = TINY_CLASSES
TABLES = ("ablation", "sota", "protocols", "readings", "splits", "overlap")
BIN = Path(sys.executable).parent
PARAMETERS = tiny_parameters(steps=20) | {"train": {}}


def run(folder: Path, *words: str) -> str:
    """Run a command as a user of a clone would."""
    identity = {
        f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | identity | {"PATH": path, "PYTHONPATH": str(folder)}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def dvc(folder: Path, *words: str) -> str:
    return run(folder, sys.executable, "-m", "dvc", *words)


def clone(source: Path, target: Path) -> Path:
    run(source, "git", "clone", "-q", str(source), str(target))
    dvc(target, "remote", "add", "-q", "--local", "-d", "lab", str(source.parent / "remote"))
    return target


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.json")}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with a project ``a``, trained and committed, and a ``remote`` it pushed to."""
    folder = tmp_path_factory.mktemp("lab")
    a = folder / "a"
    copy_project(a)
    for path in (a / "methods").glob("*.py"):
        if path.stem not in ("base_ls", "__init__"):
            path.unlink()
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(6), 10)
    features = rng.normal(size=(6, 12))[labels] + 0.3 * rng.normal(size=(60, 12))
    np.savez(a / "tiny.npz", features=features.astype(np.float32), labels=np.array(CLASSES)[labels])
    np.savez(a / "words.npz", names=np.array(CLASSES), vectors=rng.normal(size=(6, 5)))
    YAML(typ="safe").dump(PARAMETERS, a / "params.yaml")
    for name in (".dvcignore", ".gitignore"):
        shutil.copy(ROOT / name, a / name)
    shutil.copytree(
        ROOT / ".dvc", a / ".dvc", ignore=shutil.ignore_patterns("tmp", "cache", "*.local")
    )
    run(a, "git", "init", "-q")
    stages = ["train -j 1" if name == "train" else f"stage {name}" for name in STAGES]
    for words in stages:
        ended = run_bench(a, *words.split())
        assert ended.code == 0, ended
    dvc(a, "commit", "-q", "-f")  # the lock file that `dvc repro` would write
    run(a, "git", "add", "-A")
    run(a, "git", "commit", "-q", "-m", "results")
    dvc(a, "remote", "add", "-q", "--local", "-d", "lab", str(folder / "remote"))
    dvc(a, "push", "-q")
    return folder


@pytest.fixture(scope="module")
def pulled(lab: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a clone that pulled; the project that it was cloned from is gone."""
    tmp_path = tmp_path_factory.mktemp("elsewhere")
    shutil.copytree(lab / "remote", tmp_path / "remote")
    source = shutil.copytree(lab / "a", tmp_path / "a")
    b = clone(source, tmp_path / "b")
    shutil.rmtree(source)
    dvc(b, "pull", "-q")
    return b


def test_a_clone_without_data_prints_every_table(lab: Path, tmp_path: Path) -> None:
    run(lab, "git", "clone", "-q", "a", str(tmp_path / "bare"))
    assert not (tmp_path / "bare" / "data").exists() and not (tmp_path / "bare" / "runs").exists()
    for which in TABLES:
        ended = run_bench(tmp_path / "bare", "table", "-w", which)
        assert ended.code == 0, ended
        assert ended.out == (lab / f"a/results/tables/tiny/{which}.md").read_text()


def test_a_clone_that_pulls_scores_again_without_a_model_and_trains_nothing(
    pulled: Path, lab: Path
) -> None:
    assert dvc(pulled, "status").strip() == "Data and pipelines are up to date."
    assert run_bench(pulled, "train").out == "2 of 2 cells done, 0 to train\n"
    models = list(pulled.glob("runs/tiny/*/model.safetensors"))
    assert len(models) == 2
    for path in (*models, *pulled.glob("results/records/tiny/*.json")):
        path.unlink()
    assert run_bench(pulled, "stage", "score").out == "2 cells scored, 0 failed\n"
    assert contents(pulled / "results/records/tiny") == contents(lab / "a/results/records/tiny")


def test_a_clone_that_pulls_finds_the_data_beside_itself(pulled: Path) -> None:
    assert read_index(pulled / "data/tiny/index", "tiny").root.resolve() == pulled / "tiny.npz"


def test_results_of_a_checkpoint_that_lies_elsewhere_are_kept(pulled: Path) -> None:
    runs = pulled / "runs" / "tiny"
    for name in ("base_ls+checkpoint=theirs.transfer.seed0", "gone.transfer.seed0"):
        (runs / name).mkdir()
    assert run_bench(pulled, "train").code == 0
    assert (runs / "base_ls+checkpoint=theirs.transfer.seed0").is_dir()
    assert not (runs / "gone.transfer.seed0").exists()


@pytest.mark.slow
def test_repro_in_clones_trains_only_what_is_new_and_what_is_pushed_comes_back(
    lab: Path, tmp_path: Path
) -> None:
    shutil.copytree(lab / "remote", tmp_path / "remote")
    a = shutil.copytree(lab / "a", tmp_path / "a")
    dvc(a, "remote", "modify", "--local", "lab", "url", str(tmp_path / "remote"))
    b = clone(a, tmp_path / "b")
    first = dvc(b, "repro", "--pull")  # pulls by itself
    assert "Running stage" not in first and "up to date" in first
    assert "Running stage" not in dvc(b, "repro")

    scoring = b / "bench" / "scoring" / "score.py"
    scoring.write_text(scoring.read_text() + "\n# a change of the scoring\n")
    ran = [line for line in dvc(b, "repro").splitlines() if line.startswith("Running stage")]
    assert ran == ["Running stage 'score':"]
    assert not run(b, "git", "status", "--porcelain", "results")

    path = b / "methods" / "base_ls.py"
    (path.parent / "other.py").write_text(path.read_text().replace("BaseLS", "Other"))
    assert "2 of 4 cells done, 2 to train" in dvc(b, "repro")
    run(b, "git", "add", "-A")
    run(b, "git", "commit", "-q", "-m", "another method")
    dvc(b, "push", "-q")
    run(a, "git", "pull", "-q", str(b), "HEAD")
    dvc(a, "pull", "-q")
    assert "Running stage" not in dvc(a, "repro")
    assert run_bench(a, "train").out == "4 of 4 cells done, 0 to train\n"
