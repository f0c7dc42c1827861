"""``bench new``: a method in a project, a project in an empty folder, nothing overwritten."""

from pathlib import Path

import pytest
from project import ROOT, Bench, run_bench
from ruamel.yaml import YAML

from bench.pipeline.new_project import CODE, pipeline
from bench.pipeline.stages import STAGES


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_an_empty_folder_becomes_a_project(tmp_path: Path) -> None:
    ended = run_bench(tmp_path, "new")
    assert (ended.code, ended.err) == (0, "")
    assert {"params.yaml", "dvc.yaml", ".dvc/config", ".gitignore", ".dvcignore"} < names(tmp_path)
    assert "methods/aurl.py" in names(tmp_path) and not (tmp_path / "bench").exists()
    listed = run_bench(tmp_path, "methods")
    assert listed.code == 0 and "ok  AURL (ours); needs video" in listed.out


def test_the_project_takes_a_method(tmp_path: Path) -> None:
    run_bench(tmp_path, "new")
    assert run_bench(tmp_path, "new", "mine").code == 0
    assert "class Mine(Method)" in (tmp_path / "methods" / "mine.py").read_text()
    ended = run_bench(tmp_path, "new", "mine")
    assert ended.code == 2 and "methods/mine.py already exists" in ended.err


def test_a_project_is_not_started_in_one(project: Path, bench: Bench) -> None:
    ended = bench("new", cwd=project / "methods")
    assert ended.code == 2
    assert f"{project} is already a project" in ended.err


@pytest.mark.parametrize("there", [".gitignore", "methods", "methods/aurl.py", ".dvc/config"])
def test_nothing_is_overwritten(tmp_path: Path, there: str) -> None:
    path = tmp_path / there
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")
    ended = run_bench(tmp_path, "new")
    assert ended.code == 2
    assert f"{path} is in the way" in ended.err
    assert names(tmp_path) == {there} and path.read_text() == "mine"


def test_what_is_not_in_the_way_stays(tmp_path: Path) -> None:
    (tmp_path / "methods").mkdir()
    for name in ("README.md", "methods/own.py"):
        (tmp_path / name).write_text("mine")
    assert run_bench(tmp_path, "new").code == 0
    assert (tmp_path / "methods" / "own.py").read_text() == "mine"


def test_a_name_needs_a_project(tmp_path: Path) -> None:
    ended = run_bench(tmp_path, "new", "mine")
    assert ended.code == 2 and "'bench new' in an empty folder starts one" in ended.err
    assert not names(tmp_path)


def test_its_stages_depend_on_digests_instead_of_modules() -> None:
    text = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
    checkout, started = (YAML(typ="safe").load(t)["stages"] for t in (text, pipeline(text)))
    assert tuple(started) == ("code", *STAGES)
    for name in STAGES:
        own = [dep for dep in checkout[name]["deps"] if not dep.startswith("bench/")]
        assert started[name].get("deps", []) == own
        assert started[name]["params"] == [*checkout[name]["params"], {CODE: [name]}]
        assert started[name]["outs"] == checkout[name]["outs"]


def test_the_code_is_one_digest_a_stage(tmp_path: Path) -> None:
    run_bench(tmp_path, "new")
    assert run_bench(tmp_path, "stage", "code").code == 0
    found = YAML(typ="safe").load(tmp_path / CODE)
    assert {"bench", "checksum", *STAGES} == found.keys()
    assert len({found[name] for name in STAGES}) == len(STAGES)
