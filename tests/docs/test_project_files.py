"""What surrounds the code: citation, licence, workflows, container, hooks, Makefile."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import changed
import pytest
from project import ROOT
from ruamel.yaml import YAML

import bench

# Of the schema of the Citation File Format 1.2.0: what it demands, and what we use of the rest.
DEMANDED = {"cff-version", "message", "title", "authors"}
ALLOWED = DEMANDED | {"type", "abstract", "version", "license", "keywords", "references"}
PERSON = ({"name"}, {"family-names", "given-names"})
BIN = Path(sys.executable).parent


def read(name: str) -> Any:
    return YAML(typ="safe").load(ROOT / name)


def test_citation_keeps_its_schema() -> None:
    cited = read("CITATION.cff")
    assert set(cited) >= DEMANDED and set(cited) <= ALLOWED
    assert cited["cff-version"] == "1.2.0"
    assert cited["type"] == "software"
    for one in (cited, *cited["references"]):
        assert one["authors"] and all(set(author) in PERSON for author in one["authors"])
    for one in cited["references"]:
        assert {"type", "title", "authors"} <= set(one)


def test_citation_licence_and_package_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    cited = read("CITATION.cff")
    assert cited["version"] == bench.__version__
    assert cited["license"] == project["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License\n")


@pytest.mark.parametrize("name", ["test", "pages"])
def test_workflows_have_what_a_runner_needs(name: str) -> None:
    flow = read(f".github/workflows/{name}.yml")
    assert {"name", "on", "permissions", "jobs"} <= set(flow)
    for job in flow["jobs"].values():
        assert {"runs-on", "timeout-minutes", "steps"} <= set(job)
        assert all(("uses" in step) != ("run" in step) for step in job["steps"])
        assert all("@" in step["uses"] for step in job["steps"] if "uses" in step)


def test_workflows_run_what_is_here() -> None:
    steps = [
        step.get("run", "")
        for name in ("test", "pages")
        for job in read(f".github/workflows/{name}.yml")["jobs"].values()
        for step in job["steps"]
    ]
    assert ".ci/run" in steps and "make site" in steps
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


def test_the_container_builds_from_the_file_beside_it() -> None:
    folder = ROOT / ".devcontainer"
    described = json.loads((folder / "devcontainer.json").read_text(encoding="utf-8"))
    assert (folder / described["build"]["dockerfile"]).is_file()
    assert described["postCreateCommand"] == "make install"


@pytest.mark.skipif(not (BIN / "pre-commit").is_file(), reason="pre-commit is not installed")
def test_hooks_run_without_a_network(tmp_path: Path) -> None:
    """In a small repository: the hooks are local, and see a file that ruff refuses."""
    for name in (".pre-commit-config.yaml", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "tests").mkdir()
    shutil.copy(ROOT / "tests" / "changed.py", tmp_path / "tests")
    (tmp_path / "bad.py").write_text("import os\n")
    path = f"{BIN}:/usr/bin:/bin"
    environment = {"PATH": path, "HOME": str(tmp_path), "PRE_COMMIT_HOME": str(tmp_path / "home")}
    for words in (["init", "-q"], ["add", "-A"]):
        subprocess.run(["git", *words], cwd=tmp_path, env=environment, check=True)
    command = [str(BIN / "pre-commit"), "run", "--all-files"]
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    found = dict(re.findall(r"^([\w -]+?)\.+(?:\([^)]*\))?(\w+)$", ended.stdout, re.MULTILINE))
    assert found == {
        "ruff": "Failed",
        "ruff format": "Passed",
        "mypy --strict": "Skipped",
        "tests of what changed": "Passed",
    }, ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("file", "tests"),
    [
        ("bench/data/video/decode.py", {"tests/data/video/test_decode.py"}),
        ("bench/training/run_cell.py", {"tests/training/test_cell_output.py"}),
        ("methods/er.py", {"tests/methods/test_er.py", "tests/training/test_method_check.py"}),
        ("docs/protocols.md", set(changed.EVERY_PAGE)),
        ("docs/tutorial.md", {*changed.EVERY_PAGE, "tests/docs/test_tutorial.py"}),
        ("Makefile", {"tests/docs/test_project_files.py"}),
        ("tests/data/synthetic/test_corpus.py", {"tests/data/synthetic/test_corpus.py"}),
        ("results/records/mini/aurl.transfer.seed0.json", set()),
        ("bench/data/reference/splits.csv", {"tests/data/reference"}),
    ],
)
def test_changed_files_have_their_tests(file: str, tests: set[str]) -> None:
    assert changed.tests_of(file) == tests


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_make_alone_lists_every_target() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = text.partition(".PHONY:")[2].split("\n", 1)[0].split()
    printed = subprocess.run(["make", "-C", ROOT], capture_output=True, text=True, check=True)
    listed = re.findall(r"^  make ([a-z-]+)  +\S", printed.stdout, re.MULTILINE)
    assert sorted(listed) == sorted(targets)
