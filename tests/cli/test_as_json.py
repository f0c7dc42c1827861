"""`--json`: what a script reads, on stdout alone, wherever a command reports."""

import json
from pathlib import Path
from typing import Any

import pytest
from project import ROOT, Bench, run_bench


def value(folder: Path, *words: str, code: int = 0) -> Any:
    ended = run_bench(folder, *words, "--json")
    assert ended.code == code, ended.err
    return json.loads(ended.out)


@pytest.mark.parametrize(
    "words",
    [
        "splits show ucf101 half10",
        "splits overlap --train kinetics700 --test ucf101",
        "words ucf101",
        "audit aurl",
        "table",
    ],
)
def test_it_is_the_short_form_of_the_format(words: str) -> None:
    long = run_bench(ROOT, *words.split(), "--format", "json")
    assert value(ROOT, *words.split()) == json.loads(long.out)


def test_doctor(project: Path) -> None:
    assert value(project, "doctor", "-p", "paper", code=1)["ready"] is False


def test_score(project: Path) -> None:
    (project / "a.csv").write_text("predicted,label\nYoYo,YoYo\n")
    assert value(project, "score", "a.csv", "-d", "ucf101")["n"] == 1


def test_status_has_every_cell_and_counts_that_fit(project: Path) -> None:
    (project / "methods" / "broken.py").write_text("x = 1\ndef f(:\n")
    found = value(project, "status")
    assert found["profile"] == "mini"
    assert sum(found["counts"].values()) == len(found["cells"])
    broken = [one for one in found["cells"] if one["row"] == "broken"]
    assert {one["state"] for one in broken} == {"broken"}
    assert "methods/broken.py:2 SyntaxError" in broken[0]["reason"]


def test_methods_one_and_all(project: Path) -> None:
    (project / "methods" / "broken.py").write_text("x = 1\ndef f(:\n")
    listed = {one["name"]: one for one in value(project, "methods")}
    assert listed["base_ls"]["parameters"]["lam"] == 10.0
    assert listed["broken"]["parameters"] is None
    assert "broken.py:2 SyntaxError" in listed["broken"]["problem"]
    assert value(project, "methods", "base_ls") == [listed["base_ls"]]
    assert (listed["er"]["needs"], listed["er"]["uses"]) == (["features", "texts"], ["objects"])


def test_a_default_that_is_no_json_is_a_problem_of_its_method_alone(project: Path) -> None:
    path = project / "methods" / "base_ls.py"
    path.write_text(path.read_text().replace("lam: float = 10.0", "lam: type = float"))
    listed = {one["name"]: one for one in value(project, "methods")}
    assert "parameter lam = <class 'float'> cannot be written" in listed["base_ls"]["problem"]
    assert listed["base_ls"]["parameters"] is None
    assert listed["aurl"]["problem"] == ""


def test_check_prints_complaints_and_still_fails(project: Path) -> None:
    (project / "methods" / "broken.py").write_text("x = 1\ndef f(:\n")
    assert "SyntaxError" in value(project, "check", "broken", code=2)["broken"][0]


@pytest.mark.usefixtures("committed_results")
def test_verify_tables() -> None:
    found = value(ROOT, "verify", "--tables", "--profile", "mini")
    assert found["mini"]["differing"] == []
    assert found["mini"]["files"] > 10


def test_checkpoints(bench: Bench, project: Path) -> None:
    assert value(project, "checkpoint", "list") == {}


def test_data_check(root: Path, put: Any, tmp_path: Path) -> None:
    put("a/one.mp4")
    put("a/two.mp4")
    out = tmp_path / "mine.parquet"
    options = ("--root", str(root), "-j", "1")
    assert run_bench(tmp_path, "data", "index", "mine", *options, "--out", str(out)).code == 0
    (root / "a" / "two.mp4").write_bytes(b"no video")
    (bad,) = value(tmp_path, "data", "check", "mine", "--manifest", str(out), "-j", "1")
    assert bad["path"] == "a/two.mp4"
    assert bad["reason"]


def test_an_error_leaves_stdout_empty(bench: Bench) -> None:
    code, out, err = bench("status", "--json", "-p", "mnii")
    assert (code, out) == (2, "")
    assert err.startswith("error: unknown profile 'mnii'")
