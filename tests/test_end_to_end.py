"""The whole pipeline in a copy of the project, on tiny features: drop-in, failures, kills."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from project import ROOT, TINY_CLASSES, copy_project, keep_methods, run_bench, tiny_parameters
from ruamel.yaml import YAML

from bench.evaluation.score_cell import mean_curve
from bench.pipeline.stages import STAGES
from bench.utils.io import read_json, write_json

CLASSES = TINY_CLASSES
DRAWS = ("tiny.fifty-fifty.00", "tiny.fifty-fifty.01")
PARAMETERS = tiny_parameters(steps=40)
METHOD = '''"""A method that a test drops in."""
import time

from torch import Tensor

from bench.losses import nce
from bench.method import Batch, Classes, Loss
from bench.models.towers import FixedWords


class Dropped(FixedWords):
    """Its loss is spoiled at a step, and each step takes a while."""

    label = "Dropped in"
    steps = 0

    def loss(self, batch: Batch, seen: Classes) -> Loss:
        loss = nce(self.embed_video(batch), seen.vectors, batch.y)
        self.steps += 1
        time.sleep(PAUSE if "class d" in seen.names else 0)  # in draw 00, not in 01
        return loss * (float("nan") if self.steps == SPOILED else 1.0), {}
'''
DVC = shutil.which("bench", path=str(Path(sys.executable).parent))


def method(spoiled: int = -1, pause: float = 0) -> str:
    return METHOD.replace("SPOILED", str(spoiled)).replace("PAUSE", str(pause))


def make(root: Path, *methods: str) -> None:
    """Write a copy of the project with a data set, a profile and some of the methods."""
    copy_project(root)
    keep_methods(root, *methods)
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(6, 12))
    labels = np.repeat(np.arange(6), 10)
    features = (centres[labels] + 0.3 * rng.normal(size=(60, 12))).astype(np.float32)
    features[7, 3] = np.nan
    np.savez(root / "tiny.npz", features=features, labels=np.array(CLASSES)[labels])
    np.savez(root / "words.npz", names=np.array(CLASSES), vectors=rng.normal(size=(6, 5)))
    parameters(root)


def parameters(root: Path, **train: Any) -> None:
    YAML(typ="safe").dump(PARAMETERS | {"train": train}, root / "params.yaml")


def test_train_prepares_a_clone_and_adds_one_row_to_the_committed_ones(tmp_path: Path) -> None:
    make(tmp_path, "base_ls")
    assert run_bench(tmp_path, "train").code == 0
    for folder in ("data", "runs", ".bench"):  # what git does not carry
        shutil.rmtree(tmp_path / folder)
    (tmp_path / "methods" / "dropped.py").write_text(method())
    ended = run_bench(tmp_path, "train", "dropped")
    assert ended.code == 0, ended
    assert "0 of 2 cells done, 2 to train" in ended.out
    rows = json.loads(run_bench(tmp_path, "table", "-w", "protocols", "-f", "json").out)
    states = {row["row"]: row["state"] for row in rows}
    assert states["base_ls"] == states["dropped"] == "ok"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a project with two methods, trained one cell after the other."""
    root = tmp_path_factory.mktemp("trained")
    make(root, "base_ls", "aurl")
    for command in ("stage data", "stage words", "stage splits", "train -j 1", "stage score"):
        ended = run_bench(root, *command.split())
        assert ended.code == 0, ended
    return root


@pytest.fixture
def copy(trained: Path, tmp_path: Path) -> Path:
    return shutil.copytree(trained, tmp_path / "project")


def results(root: Path, name: str = "run.json") -> dict[str, Path]:
    return {path.parent.name: path for path in (root / "runs" / "tiny").glob(f"*/{name}")}


def times(root: Path) -> dict[str, int]:
    return {cell: path.stat().st_mtime_ns for cell, path in results(root).items()}


def rows(root: Path) -> dict[str, Any]:
    ended = run_bench(root, "table", "--format", "json")
    assert ended.code == 0, ended
    return {row["method"]: row for row in json.loads(ended.out) if row["status"] != "quoted"}


def same_numbers(a: Path, b: Path) -> None:
    """Assert that two projects have the same embeddings, weights and logs, to the last bit."""
    for name in ("embeddings.safetensors", "model.safetensors", "log.csv"):
        ours, theirs = results(a, name), results(b, name)
        assert ours.keys() == theirs.keys()
        for cell, path in ours.items():
            assert path.read_bytes() == theirs[cell].read_bytes(), f"{cell} {name}"


def test_every_cell_is_trained_scored_and_in_the_table(trained: Path) -> None:
    cells = {f"{name}.{draw}.seed0" for name in ("base_ls", "aurl") for draw in DRAWS}
    assert set(results(trained)) == cells
    for name in ("base_ls", "aurl"):
        row = rows(trained)[name]
        assert (row["status"], row["metrics"]["tiny.fifty-fifty.top1"]["n"]) == ("ok", 2)
        assert row["metrics"]["tiny.fifty-fifty.top1"]["mean"] > 0
    record = json.loads((trained / f"results/records/tiny/aurl.{DRAWS[0]}.seed0.json").read_text())
    facts = json.loads(results(trained)[f"aurl.{DRAWS[0]}.seed0"].read_text())
    assert record["right"]["tiny.fifty-fifty"].keys() == {"00"}
    assert record["embeddings"].keys() == {"tiny", "seen"}
    assert record["training_videos"] == facts["training_videos"]
    assert record["environment"]["cpu"]
    assert record["decoder"] == ""
    videos = facts["training_videos"]["expected"] + record["coverage"]["tiny"]["expected"]
    used = facts["training_videos"]["used"] + record["coverage"]["tiny"]["scored"]
    assert (videos, used) == (60, 59)  # one feature is not finite


def test_side_by_side_gives_the_same_numbers(trained: Path, copy: Path) -> None:
    before = times(copy)
    assert run_bench(copy, "train", "--force", "-j", "2").code == 0
    assert not set(before.items()) & set(times(copy).items())
    same_numbers(trained, copy)


def test_a_dropped_file_trains_alone_and_broken_ones_are_rows(copy: Path) -> None:
    before = times(copy)
    folder = copy / "methods"
    (folder / "dropped.py").write_text(method())
    (folder / "diverges.py").write_text(method(spoiled=4))
    (folder / "broken.py").write_text("import torch\ndef f(:\n")
    (folder / "absent.py").write_text("import torch\n\nimport not_installed\n")
    ended = run_bench(copy, "train", "-j", "1")
    assert ended.code == 2
    assert ended.err.startswith("error: 6 cells failed: absent.") and ended.err.count("\n") == 1
    after = times(copy)
    assert before.items() <= after.items()
    assert set(after) - set(before) == {f"dropped.{draw}.seed0" for draw in DRAWS}

    found = rows(copy)
    assert {name: row["status"] for name, row in found.items()} == {
        "base_ls": "ok", "aurl": "ok", "dropped": "ok",
        "diverges": "failed", "broken": "broken", "absent": "broken",
    }  # fmt: skip
    assert found["dropped"]["label"] == "Dropped in"
    assert "methods/broken.py:2 SyntaxError" in found["broken"]["reasons"][0]
    assert "methods/absent.py:3 ModuleNotFoundError" in found["absent"]["reasons"][0]
    assert "the loss is nan at step 3" in found["diverges"]["reasons"][0]
    written = (copy / "results" / "tables" / "tiny" / "ablation.md").read_text()
    assert all(text in written for text in ("Dropped in", "methods/broken.py:2", "at step 3"))

    for name in ("broken", "absent", "diverges"):
        (folder / f"{name}.py").unlink()
    ended = run_bench(copy, "train")
    assert (ended.code, ended.out) == (0, "6 of 6 cells done, 0 to train\n")
    assert times(copy) == after
    assert run_bench(copy, "stage", "score").code == 0
    assert set(rows(copy)) == {"base_ls", "aurl", "dropped"}


def test_a_method_is_trained_again_when_its_code_changes_and_not_for_a_comment(copy: Path) -> None:
    path = copy / "methods" / "base_ls.py"
    path.write_text(path.read_text() + "\n# a comment\n")
    assert run_bench(copy, "train").out == "4 of 4 cells done, 0 to train\n"
    path.write_text(path.read_text().replace("lam: float = 10.0", "lam: float = 5.0"))
    assert "2 outdated" in run_bench(copy, "status").out
    assert rows(copy)["base_ls"]["status"] == "outdated"
    assert rows(copy)["aurl"]["status"] == "ok"


def test_a_current_record_is_not_replaced_by_an_outdated_run(copy: Path) -> None:
    """Records come by git, runs do not: those of this machine may be of older code."""
    record, run = (f"aurl.{DRAWS[0]}.seed0.json", f"aurl.{DRAWS[0]}.seed0/run.json")
    path = copy / "runs" / "tiny" / run
    write_json(path, read_json(path) | {"fingerprint": "older"})
    file = copy / "results" / "records" / "tiny" / record
    before = file.read_bytes()
    ended = run_bench(copy, "stage", "score")
    assert "runs older than their records, which were kept: 1 (aurl" in ended.out
    assert file.read_bytes() == before
    file.write_text("{")  # a damaged one is made again
    assert run_bench(copy, "stage", "score").code == 0
    assert json.loads(file.read_text())["fingerprint"] == "older"
    curve = (copy / "results" / "curves" / "tiny" / "aurl.csv").read_text()
    assert curve == mean_curve([copy / "runs" / "tiny" / f"aurl.{DRAWS[1]}.seed0" / "log.csv"])


def test_verify_trains_a_cell_again_and_compares_every_bit(copy: Path) -> None:
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    ended = run_bench(copy, "verify", "aurl")
    assert (ended.code, ended.err) == (0, "")
    assert "present code, whose fingerprint is the record's" in ended.out
    assert "  IDENTICAL: " in ended.out and "2 sets of embeddings, to the last bit" in ended.out
    assert {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()} == before

    arrays = dict(np.load(copy / "tiny.npz"))
    arrays["features"][0, 0] += 1
    np.savez(copy / "tiny.npz", **arrays)
    assert run_bench(copy, "stage", "data").code == 0
    ended = run_bench(copy, "verify", "aurl")
    assert ended.code == 1
    assert "  NOT VERIFIED: data of tiny: " in ended.out


@pytest.mark.slow
def test_verify_makes_the_data_again_with_the_code_of_the_commit(tmp_path: Path) -> None:
    """The commit of a method counts, not what its file has become; its data come from nowhere."""
    root = tmp_path / "home" / "project"
    root.mkdir(parents=True)
    make(root, "base_ls", "aurl")
    (root.parent / "shared").mkdir()
    shutil.move(root / "tiny.npz", root.parent / "shared" / "tiny.npz")
    raw = json.loads(json.dumps(PARAMETERS))
    raw["profiles"]["tiny"]["datasets"]["tiny"]["file"] = "../shared/tiny.npz"
    YAML(typ="safe").dump(raw, root / "params.yaml")
    own = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    code = ["bench", "methods", "params.yaml", "dvc.yaml", "words.npz"]
    for words in (["init", "-q"], ["add", *code], ["commit", "-qm", "a"]):
        subprocess.run(["git", *own, *words], cwd=root, check=True)
    for command in ("stage data", "stage words", "stage splits", "train", "stage score"):
        assert run_bench(root, *command.split()).code == 0
    for name in ("data", "runs", "splits"):
        shutil.rmtree(root / name)
    (root / "methods" / "aurl.py").write_text("def broken(:\n")
    path = root / "results" / "records" / "tiny" / f"base_ls.{DRAWS[0]}.seed0.json"
    forged = json.loads(path.read_text())
    forged["metrics"]["tiny.fifty-fifty.top1"] += 1
    forged["cpu_s"] = 0  # so it is the cheapest of its method
    del forged["checksum"]  # whoever forges a number can seal it, too
    write_json(path, forged)
    ended = run_bench(root, "verify")
    assert (ended.code, ended.err) == (1, "")
    assert ended.out.count("code of commit") == 2
    assert ended.out.count("data made again, digests as recorded") == 2
    assert "  IDENTICAL: " in ended.out
    assert "  DIFFERENT: tiny.fifty-fifty.top1: " in ended.out
    assert ended.out.endswith("1 identical, 1 different\n")
    assert not any((root / name).exists() for name in ("data", "runs", "splits"))


def test_a_table_from_partial_records(copy: Path) -> None:
    folder = copy / "results" / "records" / "tiny"
    shutil.rmtree(copy / "runs")
    (folder / f"aurl.{DRAWS[0]}.seed0.json").unlink()
    for draw in DRAWS:
        (folder / f"base_ls.{draw}.seed0.json").unlink()
    found = rows(copy)
    assert (found["aurl"]["status"], found["base_ls"]["status"]) == ("partial", "not run")
    assert found["aurl"]["metrics"]["tiny.fifty-fifty.top1"]["n"] == 1
    assert found["aurl"]["metrics"]["tiny.fifty-fifty.top1"]["std"] is None
    text = run_bench(copy, "table").out
    assert "1/2" in text and "not run" in text


def test_a_video_set_that_changed_is_not_scored_with_old_numbers(copy: Path) -> None:
    arrays = dict(np.load(copy / "tiny.npz"))
    arrays["features"][0, 0] += 1
    np.savez(copy / "tiny.npz", **arrays)
    ended = run_bench(copy, "stage", "data")
    assert ended.code == 0, ended
    assert {row["status"] for row in rows(copy).values()} == {"outdated"}


def wait_for(ready: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("everything", [True, False], ids=["all", "parent-only"])
def test_kill_9_in_the_middle(copy: Path, everything: bool) -> None:
    """One worker is busy, one is idle; what it has finished is kept, and the rest goes on."""
    for path in (copy / "methods").glob("[ab]*.py"):
        path.unlink()
    (copy / "methods" / "slow.py").write_text(method(pause=0.02))
    shutil.rmtree(copy / "runs")
    parameters(copy, steps=100, checkpoint_every=20)
    running, done = (f"slow.{draw}.seed0" for draw in DRAWS)
    code = "from bench.cli.main import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "train", "-j", "2"],
        cwd=copy, start_new_session=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    states = copy / ".bench" / "tiny" / "state"
    wait_for(lambda: done in results(copy) and list(states.glob(f"{running}-*.pt")))
    workers = children(process.pid)
    if everything:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
    wait_for(lambda: not any(alive(pid) for pid in workers), 5)

    assert set(results(copy)) == {done}
    before = times(copy)
    for path in (copy / "runs").rglob("*"):
        assert not path.name.endswith(".part")
        if path.suffix == ".json":
            json.loads(path.read_text())
    if not everything:
        return
    ended = run_bench(copy, "train", "-j", "1")
    assert ended.code == 0
    assert ended.out.startswith("1 of 2 cells done, 1 to train\n")
    assert times(copy)[done] == before[done]
    assert set(results(copy)) == {done, running}
    assert not list(states.iterdir())

    unbroken = copy.with_name("unbroken")
    shutil.copytree(copy, unbroken)
    (unbroken / "methods" / "slow.py").write_text(method(pause=0))
    assert run_bench(unbroken, "train", "--force", "-j", "1").code == 0
    same_numbers(copy, unbroken)


@pytest.mark.skipif(not DVC, reason="the command bench is not installed beside this Python")
def test_dvc_repro_twice(trained: Path, tmp_path: Path) -> None:
    root = tmp_path / "project"
    make(root, "base_ls")
    shutil.copytree(ROOT / ".dvc", root / ".dvc", ignore=shutil.ignore_patterns("tmp", "cache"))
    shutil.copy(ROOT / ".dvcignore", root / ".dvcignore")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(root), "BENCH_JOBS": "1"}

    def repro() -> str:
        done = subprocess.run(
            [sys.executable, "-m", "dvc", "repro"],
            cwd=root, env=environment, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    first = repro()
    assert first.count("Running stage") == len(STAGES)
    before = times(root)
    assert "Data and pipelines are up to date." in repro()
    (root / "methods" / "dropped.py").write_text(method())
    third = repro()
    assert [line for line in third.splitlines() if line.startswith("Running stage")] == [
        f"Running stage '{name}':" for name in ("train", "score", "table", "report")
    ]
    assert before.items() <= times(root).items()
    table = json.loads((root / "results" / "tables" / "tiny" / "ablation.json").read_text())
    assert {"base_ls", "dropped"} <= {row["method"] for row in table if row["status"] == "ok"}
