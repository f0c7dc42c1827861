"""``bench checkpoint`` in a small project of generated clips: import, evaluate, export."""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from project import Ended, copy_project, keep_methods, run_bench
from ruamel.yaml import YAML

from bench.data.synthetic.moving_shapes import write_h264
from bench.utils.io import read_json

CLASSES = ["alpha", "beta", "gamma", "delta"]
TRAINED = "aurl.transfer.seed0"
PROFILE = {
    "title": "tiny clips",
    "datasets": {
        "seen": {"kind": "videos", "root": "seen"},
        "unseen": {"kind": "videos", "root": "unseen", "protocols": ["full", "half10"]},
    },
    "train_on": "seen",
    "words": {"kind": "class_vectors", "files": {"seen": "seen.npz", "unseen": "unseen.npz"}},
    "tau": 0,
    "input": {"length": 4, "size": 16},
    "network": {"stem": 4, "widths": [4, 8], "blocks": [1, 1], "head": 6},
    "train": {"steps": 3, "batch": 4, "warmup": 1, "log_every": 1},
}
WITHOUT = {key: value for key, value in PROFILE.items() if key != "train_on"}
WITHOUT["datasets"] = {"unseen": PROFILE["datasets"]["unseen"]}  # type: ignore[index]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a project with one trained method, exported as ``out.pth.tar``."""
    root = tmp_path_factory.mktemp("made")
    copy_project(root)
    keep_methods(root, "aurl", "base_ls")
    rng = np.random.default_rng(0)
    for name in ("seen", "unseen"):
        for label in CLASSES:
            for k in range(2):
                frames = rng.integers(0, 256, (5, 16, 16, 3), np.uint8)
                (root / name / label).mkdir(parents=True, exist_ok=True)
                write_h264(root / name / label / f"{k}.mp4", frames)
        np.savez(root / f"{name}.npz", names=np.array(CLASSES), vectors=rng.normal(size=(4, 5)))
    profiles = {"tiny": PROFILE, "released": WITHOUT}
    raw = {
        "profile": "tiny",
        "tau": None,
        "methods": {},
        "readings": {"rows": []},
        "train": {},
        "profiles": profiles,
    }
    YAML(typ="safe").dump(raw, root / "params.yaml")
    for command in ("stage data", "stage words", "stage splits", "train aurl -j 1"):
        ok(root, *command.split())
    ok(root, "checkpoint", "export", TRAINED, "--out", str(root / "out.pth.tar"))
    return root


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "project")


def ok(root: Path, *words: str) -> str:
    ended = run_bench(root, *words)
    assert ended.code == 0, ended
    return ended.out


def one_line(ended: Ended) -> str:
    assert ended.code == 2 and ended.err.count("\n") == 1, ended
    return ended.err


def released(root: Path, **changes: Any) -> Path:
    """Write the exported file as one that was chosen on test data."""
    value = torch.load(root / "out.pth.tar", weights_only=False)
    path = root / "AURL4_checkpoint.pth.tar"
    torch.save(value | {"accuracy": np.float64(35.9)} | changes, path)
    return path


def rows(root: Path, which: str, profile: str = "tiny") -> dict[str, Any]:
    found = json.loads(ok(root, "table", "-w", which, "-f", "json", "-p", profile))
    return {row["row"]: row for row in found if row["state"] != "quoted"}


def test_a_cell_that_goes_out_and_comes_in_again_scores_the_same(copy: Path) -> None:
    out = ok(copy, "checkpoint", "import", "out.pth.tar", "-m", "aurl", "--name", "mine")
    assert "imported out.pth.tar as row aurl+checkpoint=mine" in out
    assert "0 of 1 cells done, 1 to train" in out  # the other method is not trained for it
    ablation = rows(copy, "ablation")
    row = ablation["aurl+checkpoint=mine"]
    assert (row["status"], row["label"]) == ("ok", "AURL (ours), checkpoint mine")
    assert row["metrics"]["unseen.full.top1"]["n"] == 1
    for metric in ("unseen.full.top1", "unseen.half10.top1", "unseen.full.closeness"):
        assert row["metrics"][metric]["mean"] == ablation["aurl"]["metrics"][metric]["mean"]
    assert "seen.full.top1" not in row["metrics"]
    assert "aurl+checkpoint=mine" in rows(copy, "sota")
    assert "aurl+checkpoint=mine" not in rows(copy, "readings")
    again = ok(copy, "checkpoint", "export", "aurl+checkpoint=mine.transfer.seed0", "-o", "b.pt")
    assert again == ok(copy, "checkpoint", "export", TRAINED, "-o", "c.pt").replace("c.pt", "b.pt")
    ours, theirs = (torch.load(copy / name, weights_only=False) for name in ("b.pt", "out.pth.tar"))
    assert vars(ours["opt"]) == vars(theirs["opt"]) and ours["accuracy"] is None
    assert ours["state_dict"].keys() == theirs["state_dict"].keys()
    assert all(torch.equal(w, theirs["state_dict"][n]) for n, w in ours["state_dict"].items())


def test_a_profile_of_test_sets_alone_evaluates_what_was_chosen_on_them(copy: Path) -> None:
    line = one_line(run_bench(copy, "stage", "train", "-p", "released"))
    assert "bench checkpoint import" in line
    out = ok(copy, "checkpoint", "import", released(copy).name, "-m", "aurl", "-p", "released")
    assert "run 'dvc repro' to evaluate it" in out
    for stage in ("data", "words", "splits", "train", "score", "table"):
        ok(copy, "stage", stage, "-p", "released")
    ((name, row),) = rows(copy, "ablation", "released").items()
    assert (name, row["status"]) == ("aurl+checkpoint=AURL4_checkpoint", "ok")
    assert row["label"].endswith("AURL4_checkpoint, chosen on test data")
    (path,) = (copy / "results" / "records" / "released").glob("*.json")
    record = read_json(path)
    assert (record["checkpoint"], record["steps"], record["effective_batch"]) == (
        "best_on_test", 0, 0,
    )  # fmt: skip
    facts = record["parameters"]["checkpoint"]
    assert (facts["classes"], facts["accuracy"], facts["source"]) == (
        4, 35.9, "AURL4_checkpoint.pth.tar",
    )  # fmt: skip
    assert len(facts["sha256"]) == 64 and facts["opt"]["n_classes"] == 4
    assert "4 classes, from AURL4_checkpoint" in ok(copy, "checkpoint", "list", "-p", "released")
    assert ok(copy, "train", "-p", "released").endswith("1 of 1 cells done, 0 to train\n")
    assert "checkpoint=AURL4" in ok(copy, "status", "-p", "released")
    shutil.rmtree(copy / "data" / "checkpoints")  # a clone has the record alone
    ok(copy, "stage", "score", "-p", "released")
    assert rows(copy, "ablation", "released")[name]["status"] == "not planned"


def test_weights_that_were_changed_after_the_import_are_not_evaluated(copy: Path) -> None:
    words = ("checkpoint", "import", "out.pth.tar", "-m", "aurl", "--name", "mine")
    index = copy / "data" / "tiny" / "index"
    index.rename(copy / "aside")  # so that the import alone runs
    assert "run 'dvc repro'" in ok(copy, *words)
    assert ok(copy, *words).startswith("imported")
    released(copy).rename(copy / "out.pth.tar")
    assert "choose another --name" in one_line(run_bench(copy, *words))
    (copy / "aside").rename(index)
    weights = copy / "data" / "checkpoints" / "tiny" / "mine.safetensors"
    weights.write_bytes(weights.read_bytes() + b" ")
    line = one_line(run_bench(copy, "train", "aurl+checkpoint=mine"))
    assert "checkpoint changed after the cell was planned" in line


@pytest.mark.parametrize(
    ("command", "line"),
    [
        ("import absent.pth -m aurl", "absent.pth is missing"),
        ("import out.pth.tar -m aurrl", "unknown method 'aurrl'; did you mean 'aurl'"),
        ("import out.pth.tar -m base_ls", "method base_ls has no released checkpoint"),
        ("import out.pth.tar -m aurl --name a/b", "--name 'a/b'"),
        ("import seen.npz -m aurl", "seen.npz: damaged, or not a checkpoint"),
        ("import empty.pt -m aurl", "empty.pt: weight 'classifier.weight' is missing"),
        ("export aurl.transfer.seed1 -o x", f"did you mean '{TRAINED}'"),
        (f"export {TRAINED} -o out.pth.tar", "out.pth.tar exists already; --force"),
        ("import", "missing argument 'file'"),
    ],
)
def test_mistakes_leave_nothing(made: Path, command: str, line: str) -> None:
    torch.save({"state_dict": {}, "opt": argparse.Namespace()}, made / "empty.pt")
    before = files(made)
    assert line in one_line(run_bench(made, "checkpoint", *command.split()))
    assert files(made) == before


def files(root: Path) -> list[Path]:
    """List what is in a folder, except the bytecode of imported methods."""
    return sorted(path for path in root.rglob("*") if "__pycache__" not in path.parts)
