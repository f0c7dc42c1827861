"""A lab shares results: a clone prints, another pulls, scores and trains on, from a DVC remote."""

import shutil
from pathlib import Path

import pytest
from project import commit_all, run_bench, run_dvc, run_tool, tiny_project

from bench.data.index import read_index
from bench.pipeline.stages import STAGES

TABLES = ("ablation", "sota", "protocols", "readings", "splits", "overlap")


def clone(source: Path, target: Path) -> Path:
    run_tool(source, "git", "clone", "-q", str(source), str(target))
    run_dvc(target, "remote", "add", "-q", "--local", "-d", "lab", str(source.parent / "remote"))
    return target


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.json")}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with a project ``a``, trained and committed, and a ``remote`` it pushed to."""
    folder = tmp_path_factory.mktemp("lab")
    a = folder / "a"
    tiny_project(a, 20, "base_ls")
    stages = ["train -j 1" if name == "train" else f"stage {name}" for name in STAGES]
    for words in stages:
        ended = run_bench(a, *words.split())
        assert ended.code == 0, ended
    run_dvc(a, "commit", "-q", "-f")  # the lock file that `dvc repro` would write
    commit_all(a, "results")
    run_dvc(a, "remote", "add", "-q", "--local", "-d", "lab", str(folder / "remote"))
    run_dvc(a, "push", "-q")
    return folder


@pytest.fixture(scope="module")
def pulled(lab: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a clone that pulled; the project that it was cloned from is gone."""
    tmp_path = tmp_path_factory.mktemp("elsewhere")
    shutil.copytree(lab / "remote", tmp_path / "remote")
    source = shutil.copytree(lab / "a", tmp_path / "a")
    b = clone(source, tmp_path / "b")
    shutil.rmtree(source)
    run_dvc(b, "pull", "-q")
    return b


def test_a_clone_without_data_prints_every_table(lab: Path, tmp_path: Path) -> None:
    run_tool(lab, "git", "clone", "-q", "a", str(tmp_path / "bare"))
    assert not (tmp_path / "bare" / "data").exists() and not (tmp_path / "bare" / "runs").exists()
    for which in TABLES:
        ended = run_bench(tmp_path / "bare", "table", "-w", which)
        assert ended.code == 0, ended
        assert ended.out == (lab / f"a/results/tables/tiny/{which}.md").read_text()


def test_a_clone_that_pulls_scores_again_without_a_model_and_trains_nothing(
    pulled: Path, lab: Path
) -> None:
    assert run_dvc(pulled, "status").strip() == "Data and pipelines are up to date."
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
    run_dvc(a, "remote", "modify", "--local", "lab", "url", str(tmp_path / "remote"))
    b = clone(a, tmp_path / "b")
    first = run_dvc(b, "repro", "--pull")  # pulls by itself
    assert "Running stage" not in first and "up to date" in first
    assert "Running stage" not in run_dvc(b, "repro")

    scoring = b / "bench" / "evaluation" / "score_cell.py"
    scoring.write_text(scoring.read_text() + "\n# a change of the scoring\n")
    ran = [line for line in run_dvc(b, "repro").splitlines() if line.startswith("Running stage")]
    assert "Running stage 'score':" in ran and "Running stage 'train':" not in ran
    assert not run_tool(b, "git", "status", "--porcelain", "results")

    path = b / "methods" / "base_ls.py"
    (path.parent / "other.py").write_text(path.read_text().replace("BaseLS", "Other"))
    assert "2 of 4 cells done, 2 to train" in run_dvc(b, "repro")
    commit_all(b, "another method")
    run_dvc(b, "push", "-q")
    run_tool(a, "git", "pull", "-q", str(b), "HEAD")
    run_dvc(a, "pull", "-q")
    assert "Running stage" not in run_dvc(a, "repro")
    assert run_bench(a, "train").out == "4 of 4 cells done, 0 to train\n"
