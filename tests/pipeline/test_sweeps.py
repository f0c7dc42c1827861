"""`bench sweep`: rows of DVC's experiments, which are commits; none of them needs DVC."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from project import commit_all, run_bench, run_tool, tiny_project

KEY = "tiny.fifty-fifty.top1"


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a project with two experiments of base_ls, lam = 5 and lam = 20, as DVC leaves them."""
    root = tmp_path_factory.mktemp("swept")
    tiny_project(root, 10, "base_ls", "aurl")
    for command in ("data", "words", "splits", "train", "score"):
        assert run_bench(root, "stage", command).code == 0
    base = commit_all(root, "results")
    params = root / "params.yaml"
    text = params.read_text()
    for name, value in (("few", "5.0"), ("many", "20.0")):
        params.write_text(text.replace("base_ls: {lam: null}", f"base_ls: {{lam: {value}}}"))
        assert run_bench(root, "train", "base_ls").code == 0
        assert run_bench(root, "stage", "score").code == 0
        commit = commit_all(root, name)
        ref = f"refs/exps/{base[:2]}/{base[2:]}/{name}"
        run_tool(root, "git", "update-ref", ref, commit)
        run_tool(root, "git", "reset", "-q", "--hard", base)
    assert "2 restored" in run_bench(root, "train").out
    return root


@pytest.fixture
def copy(swept: Path, tmp_path: Path) -> Path:
    return shutil.copytree(swept, tmp_path / "project")


def rows(root: Path, *words: str) -> list[dict[str, Any]]:
    ended = run_bench(root, "sweep", "-f", "json", *words)
    assert ended.code == 0, ended
    found: list[dict[str, Any]] = json.loads(ended.out)
    return found


def test_a_row_a_setting_with_the_default_filled_in(swept: Path) -> None:
    found = rows(swept)
    assert {row["row"] for row in found} == {"base_ls"}  # aurl has another lam, and none of them
    assert [row["set"] for row in found] == [
        {"methods.base_ls.lam": value} for value in (5.0, 10.0, 20.0)
    ]
    assert [row["experiment"] for row in found] == ["few", "", "many"]
    assert all(row["status"] == "ok" and row["metrics"][KEY]["n"] == 2 for row in found)


def test_every_format_says_that_test_data_chose(swept: Path) -> None:
    for fmt in ("md", "latex", "html"):
        assert "chosen on test data" in " ".join(run_bench(swept, "sweep", "-f", fmt).out.split())
    assert run_bench(swept, "sweep", "-f", "csv").out.startswith("method,lam,")


def test_the_other_tables_do_not_see_the_experiments(swept: Path) -> None:
    table = run_bench(swept, "table", "-f", "json")
    row = next(one for one in json.loads(table.out) if one["method"] == "base_ls")
    assert (row["status"], row["metrics"][KEY]["n"]) == ("ok", 2)
    assert row["metrics"][KEY]["mean"] == rows(swept)[1]["metrics"][KEY]["mean"]


def test_what_is_saved_is_printed_without_experiments_and_outdated_by_code(copy: Path) -> None:
    printed = run_bench(copy, "sweep", "--over", "lam", "--save", "lam")
    assert printed.err == "saved in results/sweeps/tiny/lam.json\n"
    for ref in run_tool(copy, "git", "for-each-ref", "--format=%(refname)", "refs/exps").split():
        run_tool(copy, "git", "update-ref", "-d", ref)
    assert run_bench(copy, "sweep", "lam").out == printed.out
    path = copy / "methods" / "base_ls.py"
    path.write_text(path.read_text().replace("nce(", "1.0 * nce("))
    for row in rows(copy, "lam"):
        assert (row["state"], row["metrics"]) == ("outdated (source)", {})


def test_what_is_saved_is_outdated_by_settings_but_not_by_the_swept_one(copy: Path) -> None:
    run_bench(copy, "sweep", "--save", "lam")
    params = copy / "params.yaml"
    text = params.read_text()
    params.write_text(text.replace("base_ls: {lam: null}", "base_ls: {lam: 7.0}"))
    assert {row["state"] for row in rows(copy, "lam")} == {"ok"}
    assert "else as in params.yaml" in run_bench(copy, "sweep", "lam").out
    params.write_text(text.replace("warmup: 4", "warmup: 5"))
    assert {row["state"] for row in rows(copy, "lam")} == {"outdated (settings)"}
    assert "else as in params.yaml" not in run_bench(copy, "sweep", "lam").out


def test_experiments_of_other_code_are_outdated(copy: Path) -> None:
    path = copy / "methods" / "base_ls.py"
    path.write_text(path.read_text().replace("nce(", "1.0 * nce("))
    assert {row["state"] for row in rows(copy)} == {"outdated (source)"}


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("lamb",), "unknown saved sweep 'lamb'"),
        (("--over", "tua"), "unknown parameter that an experiment changes 'tua'"),
        (("lam", "--save", "x"), "NAME of a saved sweep, or --save"),
        (("--save", "../x"), "'../x' is not a valid sweep name"),
        (("-p", "other"), "unknown profile 'other'"),
    ],
)
def test_a_mistake_is_one_line(swept: Path, words: tuple[str, ...], text: str) -> None:
    ended = run_bench(swept, "sweep", *words)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert text in ended.err


@pytest.mark.parametrize(
    ("lost", "hint"), [(".git/refs/exps", "dvc exp run --queue"), (".git", "run 'git init'")]
)
def test_without_experiments_it_says_how_to_make_some(copy: Path, lost: str, hint: str) -> None:
    shutil.rmtree(copy / lost)
    ended = run_bench(copy, "sweep")
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert hint in ended.err


def test_a_damaged_saved_sweep_is_told(copy: Path) -> None:
    run_bench(copy, "sweep", "--save", "lam")
    path = copy / "results" / "sweeps" / "tiny" / "lam.json"
    path.write_text(path.read_text().replace('"n": 2', '"n": 9'))
    ended = run_bench(copy, "sweep", "lam")
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "lam.json: damaged" in ended.err
