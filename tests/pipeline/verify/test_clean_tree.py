"""What a record is repeated with: its commit's code, its parameters, the recorded data or none."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from project import ROOT, Bench, split_json, write_index_file
from ruamel.yaml import YAML

from bench.config.paths import Layout
from bench.config.profile import load_config
from bench.errors import UserError
from bench.experiments.fingerprint import code_digest
from bench.experiments.method_registry import scan
from bench.experiments.record import Record, write_record
from bench.pipeline.verify.clean_tree import (
    link_files,
    other_data,
    put_code,
    put_parameters,
    put_splits,
)

METHOD = "base_ls"


def git(root: Path, *words: str) -> str:
    own = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *own, *words], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def commit(project: Path) -> str:
    """Commit the copy of the project; give the commit."""
    git(project, "init", "-q")
    git(project, "add", "-A")
    git(project, "commit", "-qm", "a")
    return git(project, "rev-parse", "HEAD")


def record(root: Path, **other: Any) -> Record:
    core = code_digest(root / "bench" / "training" / "run_cell.py", root)
    source = code_digest(scan(root)[METHOD].path, root)
    values: dict[str, Any] = {
        "profile": "mini", "row": METHOD, "method": METHOD, "label": "", "split": "transfer",
        "seed": 7, "status": "ok", "parts": {"core": core, "source": source},
    }  # fmt: skip
    return Record(**(values | other))


def test_a_clean_commit_is_taken_whatever_stands_there_now(
    project: Path, commit: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    (project / "methods" / f"{METHOD}.py").write_text("def broken(:\n")
    tree = tmp_path_factory.mktemp("tree")
    said = put_code(project, record(ROOT, git_commit=commit), tree)
    assert said == f"code of commit {commit[:8]}"
    assert scan(tree)[METHOD].problem == ""
    assert (tree / "bench" / "cli" / "main.py").is_file()
    assert git(project, "status", "--porcelain") == f"M methods/{METHOD}.py"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"git_commit": "0" * 40}, "commit 00000000 is not in this repository"),
        ({"git_commit": "c0ffee", "git_dirty": True}, "commit c0ffee had changes beside it"),
        ({}, "the record names no commit"),
        ({"git_commit": "--output=x"}, "is not in this repository"),
    ],
)
def test_else_the_present_code_if_it_is_the_same(
    change: dict[str, Any], why: str, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    said = put_code(ROOT, record(ROOT, **change), tree)
    assert said.startswith("present code, whose fingerprint is the record's (")
    assert why in said
    assert (tree / "dvc.yaml").is_file()
    with pytest.raises(UserError, match=r"present code is another \(source\)") as raised:
        other = record(ROOT).parts | {"source": "older"}
        put_code(ROOT, record(ROOT, **change, parts=other), tree)
    assert why in str(raised.value)


def parameters(split: str, **own: Any) -> tuple[Record, dict[str, Any]]:
    """Return a record with resolved parameters that no profile has, and the committed params."""
    config = load_config(ROOT, "mini")
    resolved = {
        "method": {"freeze_backbone": True, "lam": 3.5},
        "input": config.profile.input.model_dump(mode="json") | {"size": 20},
        "network": config.profile.network.model_dump(mode="json") | {"head": 64},
        "train": config.profile.train.numbers() | {"steps": 7, "lr": 1e-05},
    }
    made = record(ROOT, split=split, parameters=resolved, **own)
    return made, YAML(typ="safe").load(ROOT / "params.yaml")


@pytest.mark.parametrize("reading", [{}, {"freeze_backbone": True}])
def test_resolved_parameters_replace_those_of_the_file(
    reading: dict[str, Any], tmp_path: Path
) -> None:
    made, raw = parameters("transfer", reading=reading)
    put_parameters(tmp_path, made, raw | {"train": {"steps": 99}}, narrow=True)
    config = load_config(tmp_path, None)
    train = config.profile.train_of(METHOD)
    assert (train.steps, train.lr, train.seeds, train.device) == (7, 1e-05, (7,), "cpu")
    assert config.profile.input_of(METHOD).size == 20
    assert config.profile.network.head == 64
    given = config.methods[METHOD] | (config.readings.rows[0].set if reading else {})
    assert given == {"freeze_backbone": True, "lam": 3.5}
    assert config.profile.per_split() == []


def test_only_the_records_own_split_is_left_to_train(tmp_path: Path) -> None:
    made, raw = parameters("mini_ucf.gzsl.00")
    raw["profiles"]["mini"]["datasets"]["mini_ucf"]["protocols"] = ["full", "truze", "gzsl"]
    put_parameters(tmp_path, made, raw, narrow=False)
    assert load_config(tmp_path).profile.transfer_sets() == ["mini_ucf", "mini_hmdb"]
    put_parameters(tmp_path, made, raw, narrow=True)
    config = load_config(tmp_path)
    assert (config.profile.per_split(), config.profile.train_on) == ([("mini_ucf", "gzsl")], None)


def test_a_record_without_parameters(tmp_path: Path) -> None:
    _, raw = parameters("transfer")
    with pytest.raises(UserError, match="no 'method' in the record"):
        put_parameters(tmp_path, record(ROOT), raw, narrow=True)


def test_files_beside_the_project_are_found_from_the_tree(tmp_path: Path) -> None:
    root, tree = tmp_path / "home" / "project", tmp_path / "a" / "b" / "tree"
    (root / "own").mkdir(parents=True)
    tree.mkdir(parents=True)
    (root / "own" / "words.npz").write_text("words")
    (root.parent / "shared").mkdir()
    (root.parent / "shared" / "x.npz").write_text("features")
    block = {"words": {"file": "own/words.npz"}, "n": 3, "sets": [{"file": "../shared/x.npz"}]}
    (root / "here.npz").write_text("beside")
    texts = {"root": "../shared", "title": "not/there", "keys": "own", "long": "x" * 300}
    link_files(root, tree, block | texts | {"files": {"a": "here.npz"}})
    assert (tree / "here.npz").read_text() == "beside"
    assert (tree / "own/words.npz").read_text() == "words"
    assert (tree / "../shared/x.npz").read_text() == "features"
    assert not (tree / "not").exists()


def test_data_and_splits_are_checked_by_their_digests(project: Path) -> None:
    layout, tree = Layout(project, "mini"), Layout(project / "tree", "mini")
    made = record(ROOT, data={"ucf": "d"}, split_digests={"ucf.full": "s"})
    assert other_data(layout, made) == "data of ucf: missing here, d in the record"
    layout.index.mkdir(parents=True)
    layout.splits.mkdir(parents=True)
    write_index_file(layout.index, "ucf", digest="e")
    (layout.splits / "ucf.full.json").write_text(split_json({"digest": "s"}))
    assert other_data(layout, made) == "data of ucf: e here, d in the record"
    put_splits(layout, made, tree)
    assert (tree.splits / "ucf.full.json").is_file()
    for wrong in ({"split_digests": {"ucf.full": "t"}}, {"parts": {"split": "o"}}):
        with pytest.raises(UserError, match=r"split file (ucf.full: s|overlap: missing) here"):
            put_splits(layout, made.model_copy(update=wrong), tree)


def test_splits_of_the_commit_are_taken_where_the_present_ones_are_others(project: Path) -> None:
    layout, tree = Layout(project, "mini"), Layout(project / "tree", "mini")
    layout.splits.mkdir(parents=True)
    file = layout.splits / "ucf.full.json"
    file.write_text(split_json({"digest": "old"}))
    git(project, "init", "-q")
    git(project, "add", "splits")
    git(project, "commit", "-qm", "a")
    file.write_text(split_json({"digest": "new"}))
    commit = git(project, "rev-parse", "HEAD")
    tree.root.mkdir()
    put_splits(layout, record(ROOT, git_commit=commit, split_digests={"ucf.full": "old"}), tree)
    assert json.loads((tree.splits / "ucf.full.json").read_text())["digest"] == "old"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("verify", "no records"),
        ("verify bse_ls", "unknown method or row of profile mini 'bse_ls'; did you mean 'base_ls'"),
        ("verify --cell base_ls.transfer.seed8", "did you mean 'base_ls.transfer.seed7'?"),
        ("verify base_ls --cell x", "not both"),
        ("verify --tables base_ls", "can be combined only"),
        ("verify --tables -p mnii", "unknown profile in"),
        ("verify --from nowhere", "--from nowhere: no such folder"),
        ("verify -p mnii", "did you mean 'mini'"),
        ("verify --tolerance=-1", "greater than or equal to 0"),
    ],
)
def test_mistakes(bench: Bench, project: Path, words: str, said: str) -> None:
    folder = project / "results" / "records" / "mini"
    folder.mkdir(parents=True)
    if said != "no records":
        write_record(folder, record(ROOT))
    code, out, err = bench(*words.split())
    assert (code, out) == (2, "")
    assert said in err and err.count("\n") == 1


def test_what_cannot_be_repeated_is_said_and_ends_with_1(bench: Bench, project: Path) -> None:
    folder = project / "results" / "records" / "mini"
    write_record(folder, record(ROOT, parts={"core": "older", "source": "older"}))
    write_record(folder, record(ROOT, row="er", status="failed", reason="loss is nan"))
    write_record(folder, record(ROOT, seed=8, data={"../x": "d"}))
    code, out, err = bench("verify")
    assert (code, err) == (1, "")
    assert "NOT VERIFIED: the record names no commit, and the present code is another" in out
    assert "NOT VERIFIED: the cell is failed: loss is nan" in out
    assert out.endswith("2 not verified\n")
    code, out, _ = bench("verify", "--cell", "base_ls.transfer.seed8")
    assert code == 1
    assert "NOT VERIFIED: '../x' in the record is no name" in out
