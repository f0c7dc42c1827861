"""DVC's own views and experiments, in a project that is trained and committed."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from project import commit_all, run_bench, run_dvc, run_tool, tiny_project

STAGES = ("data", "words", "splits", "inputs", "audit", "train", "score", "table", "report")
METRICS = "results/metrics/tiny/base_ls.json"


@pytest.fixture(scope="module")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a project with one trained method, as `dvc repro` and two commits leave it."""
    root = tmp_path_factory.mktemp("views")
    tiny_project(root, 10, "base_ls")
    for stage in STAGES:
        ended = run_bench(root, "stage", stage)
        assert ended.code == 0, ended
    run_dvc(root, "commit", "-q", "-f")
    commit_all(root, "results")
    path = root / METRICS
    real = path.read_text()
    path.write_text(real.replace('"n": 2', '"n": 1'))
    commit_all(root, "a number less")
    path.write_text(real)
    commit_all(root, "all numbers")
    return root


@pytest.fixture
def copy(committed: Path, tmp_path: Path) -> Path:
    return shutil.copytree(committed, tmp_path / "project")


def test_metrics_show_has_mean_deviation_and_n_of_every_row(committed: Path) -> None:
    found = json.loads(run_dvc(committed, "metrics", "show", "--json"))[""]["data"]
    top1 = found[METRICS]["data"]["tiny"]["fifty-fifty"]["top1"]
    ended = run_bench(committed, "table", "-f", "json")
    row = next(one for one in json.loads(ended.out) if one["method"] == "base_ls")
    for name, value in row["metrics"]["tiny.fifty-fifty.top1"].items():
        if name in ("mean", "std", "n"):
            assert top1[name] == pytest.approx(value, abs=1e-4)


def test_metrics_diff_names_what_changed(committed: Path) -> None:
    found = json.loads(run_dvc(committed, "metrics", "diff", "HEAD~1", "--json"))
    assert list(found) == [METRICS]
    (change,) = (value for key, value in found[METRICS].items() if key.endswith("top1.n"))
    assert (change["old"], change["new"]) == (1, 2)


def test_plots_have_titles_labels_and_every_row(copy: Path) -> None:
    run_dvc(copy, "plots", "show")
    run_dvc(copy, "plots", "diff", "HEAD~1", "--out", "changes")
    for folder in ("dvc_plots", "changes"):
        page = (copy / folder / "index.html").read_text()
        for text in ("Top-1 on unseen classes", "percent of videos", "higher is better", "(n = 2)"):
            assert text in page
        assert "mean over the row" in page


def test_the_graph_has_every_stage(committed: Path) -> None:
    assert set(STAGES) <= set(re.findall(r'"(\w+)"', run_dvc(committed, "dag", "--dot")))


def runs(root: Path) -> dict[str, bytes]:
    folder = root / "runs" / "tiny"
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.glob("*/*")}


@pytest.mark.slow
def test_an_experiment_in_the_workspace_loses_nothing(copy: Path) -> None:
    """DVC's checkout replaces runs/ first: of what `bench train` did since, nothing is left."""
    (copy / "methods" / "other.py").write_text(
        (copy / "methods" / "base_ls.py").read_text().replace("BaseLS", "Other")
    )
    assert run_bench(copy, "train").code == 0
    before = runs(copy)
    (copy / "methods" / "other.py").rename(copy / "other.py")
    run_dvc(copy, "exp", "run", "-S", "train.steps=12", "-n", "twelve")
    assert runs(copy) != before
    run_tool(copy, "git", "checkout", "-q", ".")
    (copy / "other.py").rename(copy / "methods" / "other.py")
    assert "(4 restored from the cache), 0 to train" in run_bench(copy, "train").out
    assert runs(copy) == before


@pytest.mark.slow
def test_a_queued_sweep_is_a_table(copy: Path) -> None:
    """The commands of docs/sweeps.md, as a user types them."""
    only = ("-S", "only=[base_ls]")
    run_dvc(copy, "exp", "run", "--queue", "-S", "methods.base_ls.lam=5,20", *only)
    run_dvc(copy, "exp", "run", "--run-all")
    shown = json.loads(run_dvc(copy, "exp", "show", "--json"))
    assert len(shown[1]["experiments"]) == 2
    ended = run_bench(copy, "sweep", "--over", "lam", "-f", "json", "--save", "lam")
    rows: list[dict[str, Any]] = json.loads(ended.out)
    assert [row["set"]["methods.base_ls.lam"] for row in rows] == [5, 10.0, 20]
    assert all(row["status"] == "ok" for row in rows)
    assert not run_tool(copy, "git", "status", "--porcelain", "params.yaml", "results/records")

    run_dvc(copy, "exp", "run", "--temp", "-S", "train.steps=12", "-n", "twelve")
    run_dvc(copy, "exp", "apply", "twelve")
    assert "steps: 12" in (copy / "params.yaml").read_text()
    run_dvc(copy, "exp", "remove", "-A")
    assert json.loads(run_dvc(copy, "exp", "show", "--json"))[1]["experiments"] is None
