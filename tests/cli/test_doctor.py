"""`bench doctor`: what is there, what is missing and where it is obtained, how long a run takes."""

import importlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from project import ROOT, Bench, write_index_file
from ruamel.yaml import YAML

from bench.experiments.method_registry import scan
from bench.utils.terminal import duration

# Of profile mini, with its three seeds: what does not learn by steps is the same with each.
CELLS = sum(3 if file.learning == "steps" else 1 for file in scan(ROOT).values())


@pytest.fixture
def repository(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a git and DVC repository of the copy, with a cache that is nobody else's."""
    (project / "mine").mkdir(mode=0o700)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(project / "mine" / "dvc"))
    subprocess.run(["git", "init", "-q"], cwd=project, check=True)
    (project / ".dvc").mkdir()
    return project


def edit(project: Path, **blocks: Any) -> None:
    """Replace blocks of the profile paper."""
    path = project / "params.yaml"
    raw = YAML(typ="safe").load(path)
    raw["profiles"]["paper"] |= blocks
    with path.open("w") as handle:
        YAML(typ="safe").dump(raw, handle)


def found(bench: Bench, *words: str) -> tuple[int, dict[str, Any]]:
    code, out, err = bench("doctor", "-f", "json", *words)
    assert err == ""
    report = json.loads(out)
    assert report["ready"] == (code == 0)
    return code, {one["what"]: one for one in report["findings"]}


def test_the_mini_profile_needs_nothing(bench: Bench, repository: Path) -> None:
    code, findings = found(bench)
    assert code == 0
    assert {one["state"] for one in findings.values()} == {"ok", "to do"}
    assert findings["cells"]["detail"] == f"0 of {CELLS} done"
    assert bench("doctor").out.endswith("ready: run 'dvc repro'\n")


def test_the_paper_profile_says_where_to_get_what_is_missing(
    bench: Bench, repository: Path
) -> None:
    roots = {n: {"kind": "videos", "root": f"no/{n}"} for n in ("kinetics700", "ucf101", "hmdb51")}
    edit(repository, datasets=roots, words={"kind": "word2vec", "file": "no.bin.gz"})
    code, findings = found(bench, "-p", "paper")
    assert code == 1
    missing = {name: one for name, one in findings.items() if one["state"] == "missing"}
    assert set(missing) == {"kinetics700", "ucf101", "hmdb51", "word vectors"}
    for name, source in (("ucf101", "crcv.ucf.edu"), ("hmdb51", "Serre"), ("kinetics700", "cvdf")):
        assert str(repository / "no" / name) in missing[name]["detail"]
        assert source in missing[name]["how"]
        assert f"bench data index {name} --root FOLDER" in missing[name]["how"]
    assert "GoogleNews-vectors-negative300" in missing["word vectors"]["how"]
    out = bench("doctor", "-p", "paper").out
    assert len([line for line in out.splitlines() if line.startswith("missing ")]) == 4
    assert out.endswith("4 missing: the run cannot start\n")


def test_what_is_there_but_short_is_a_note(bench: Bench, repository: Path) -> None:
    roots = {"ucf101": {"kind": "videos", "root": "here"}}
    words = {"kind": "word2vec", "file": "short.bin"}
    edit(repository, datasets=roots, words=words, train_on=None)
    (repository / "here").mkdir()
    (repository / "short.bin").write_bytes(b"1 1\n")
    index = repository / "data" / "paper" / "index"
    index.mkdir(parents=True)
    write_index_file(index, "ucf101", videos=13000)
    code, findings = found(bench, "-p", "paper")
    assert code == 0
    assert findings["ucf101"]["state"] == findings["word vectors"]["state"] == "note"
    assert findings["ucf101"]["detail"] == "13000 of 13320 published videos"
    assert "GoogleNews 3.64" in findings["word vectors"]["detail"]


def test_no_repository_is_missing(bench: Bench, project: Path) -> None:
    code, findings = found(bench)
    assert code == 1
    assert findings["git repository"]["state"] == findings["dvc repository"]["state"] == "missing"


def test_a_torchvision_of_another_torch_is_missing(
    bench: Bench, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.import_module

    def broken(name: str, package: str | None = None) -> Any:
        if name == "torchvision.ops":
            raise RuntimeError("operator torchvision::nms does not exist")
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", broken)
    code, findings = found(bench)
    assert code == 1
    assert "torchvision::nms does not exist" in findings["torchvision"]["detail"]
    assert "together" in findings["torchvision"]["how"]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.3, "0.3 s"), (45, "45 s"), (720, "12 min"), (162_000, "45 h"), (1e7, "116 days")],
)
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said


@pytest.mark.parametrize(("words", "named"), [(("-p", "papr"), "'paper'"), (("-f", "md"), "'md'")])
def test_mistakes(bench: Bench, words: tuple[str, ...], named: str) -> None:
    code, out, err = bench("doctor", *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert named in err


def test_a_cache_of_dvc_that_others_can_write_is_noted(
    bench: Bench, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert found(bench)[1]["dvc cache"]["state"] == "ok"
    monkeypatch.delenv("DVC_SITE_CACHE_DIR")
    code, findings = found(bench)
    assert (code, findings["dvc cache"]["state"]) == (0, "note")
    assert "DVC_SITE_CACHE_DIR" in findings["dvc cache"]["how"]
