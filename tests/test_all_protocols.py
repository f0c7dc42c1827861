"""Every protocol from data to table, on tiny features whose lists and names are made up here."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from project import Ended, copy_project, keep_methods, run_bench
from ruamel.yaml import YAML
from safetensors.numpy import load_file

from bench.config.paths import Layout
from bench.config.profile import load_config
from bench.data import reference as facts
from bench.data.reference import published_splits
from bench.experiments.cell_cache import is_done
from bench.experiments.plan import plan

NEW = [c for names in published_splits("k220", "kinetics600")[0].values() for c in names]
CLASSES = {
    "base": [f"seen {letter}" for letter in "abcdefgh"],
    "tiny": ["jump", "Run", "swim", "Walk"],
    "hmdb51": list(facts.classes("hmdb51")),
    "kinetics600": [*NEW, "abseiling"],  # the last one is a class of Kinetics-400
}
VIDEOS = {"base": 8, "tiny": 10, "hmdb51": 2, "kinetics600": 1}
PROTOCOLS = {
    "tiny": ["full", "half10", "official3", "fifty-fifty", "gzsl"],
    "hmdb51": ["truze", "truze67"],
    "kinetics600": ["k220"],
}
LISTED = [3, 4, 5]  # videos of each class in the three lists; list 3 has one that is not there


def make(root: Path) -> None:
    copy_project(root)
    keep_methods(root, "base_ls")
    rng = np.random.default_rng(0)
    sets: dict[str, Any] = {}
    for name, classes in CLASSES.items():
        labels = np.repeat(classes, VIDEOS[name])
        ids = [f"{c}/v_{c}_{i % VIDEOS[name]}.avi" for i, c in enumerate(labels)]
        features = rng.normal(size=(len(labels), 6)).astype(np.float32)
        if name == "tiny":
            features[ids.index("Run/v_Run_4.avi"), 0] = np.nan
        np.savez(root / f"{name}.npz", features=features, labels=labels, ids=ids)
        vectors = rng.normal(size=(len(classes), 5))
        if name == "kinetics600":
            vectors[-1] = np.load(root / "base.words.npz")["vectors"][0]
        np.savez(root / f"{name}.words.npz", names=np.array(classes), vectors=vectors)
        sets[name] = {"kind": "features", "file": f"{name}.npz"}
        sets[name]["protocols"] = PROTOCOLS.get(name, [])
    sets["tiny"]["lists"] = "lists"
    (root / "lists").mkdir()
    for number, count in enumerate(LISTED, 1):
        lines = [f"{c}/v_{c}_{i}.avi" for c in CLASSES["tiny"] for i in range(count)]
        lines += ["Walk/v_Walk_gone.avi"] if number == 3 else []
        (root / "lists" / f"testlist0{number}.txt").write_text("\n".join(lines))
    profile = {
        "title": "all protocols",
        "datasets": sets,
        "train_on": "base",
        "words": {"kind": "class_vectors", "files": {n: f"{n}.words.npz" for n in sets}},
        "tau": 0,
        "fifty_fifty": {"draws": 2},
        "network": {"head": 8},
        "train": {"steps": 4, "batch": 8, "warmup": 1},
    }
    parameters = {"profile": "all", "tau": None, "train": {}, "methods": {}}
    parameters |= {"readings": {"rows": []}, "profiles": {"all": profile}}
    YAML(typ="safe").dump(parameters, root / "params.yaml")


def stages(root: Path, *names: str) -> Ended:
    for name in names:
        ended = run_bench(root, "stage", name)
        assert ended.code == 0, ended
    return ended


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("all")
    make(root)
    stages(root, "data", "words", "splits")
    assert run_bench(root, "train", "-j", "1").code == 0
    stages(root, "score", "table")
    return root


def record(root: Path, split: str) -> Any:
    return json.loads((root / "results/records/all" / f"base_ls.{split}.seed0.json").read_text())


def splits(root: Path, name: str) -> Any:
    return json.loads((root / "splits/all" / f"{name}.json").read_text())["splits"]


def test_cells_are_one_transfer_and_one_a_split(done: Path) -> None:
    assert {path.name for path in (done / "runs/all").glob("*.*/")} == {
        f"base_ls.{split}.seed0"
        for split in (
            "transfer", "tiny.fifty-fifty.00", "tiny.fifty-fifty.01", "tiny.gzsl.00",
            "tiny.gzsl.01", "hmdb51.truze.1", "hmdb51.truze67.1",
        )
    }  # fmt: skip
    for protocol in ("half10", "official3", "k220"):
        name = "kinetics600" if protocol == "k220" else "tiny"
        assert f"{name}.{protocol}.top1" in record(done, "transfer")["metrics"]


def test_official3_scores_the_listed_videos_and_counts_the_lost(done: Path) -> None:
    found = record(done, "transfer")
    assert set(found["per_split"]["tiny.official3.top1"]) == {"1", "2", "3"}
    coverage = found["coverage"]["tiny.official3"]
    assert (coverage["expected"], coverage["scored"]) == (21, 19)
    assert set(coverage["failed"]) == {"v_Run_4", "v_Walk_gone"}
    assert coverage["failed"]["v_Walk_gone"] == "listed, but not in the data set"
    arrays = load_file(done / "runs/all/base_ls.transfer.seed0/embeddings.safetensors")
    right = [
        (scores.argmax() == label)
        for scores, label, row in zip(
            _cosine(arrays["tiny.video"], arrays["tiny.class"]),
            arrays["tiny.label"],
            arrays["tiny.row"],
            strict=True,
        )
        if row % 10 < 3  # sorted by class, then by path: the first three of each class
    ]
    assert len(right) == 12
    top1 = found["per_split"]["tiny.official3.top1"]["1"]
    assert top1 == pytest.approx(100 * np.mean(right), abs=1e-5)


def _cosine(video: Any, classes: Any) -> Any:
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (video, classes)]
    return unit[0] @ unit[1].T


def test_gzsl_trains_on_no_held_out_video_and_tests_them(done: Path) -> None:
    for one in splits(done, "tiny.gzsl"):
        name = f"tiny.gzsl.{one['name']}"
        facts = json.loads((done / f"runs/all/base_ls.{name}.seed0/run.json").read_text())
        assert [len(one[key]) for key in ("seen", "unseen", "held_out")] == [2, 2, 4]
        assert facts["training_videos"]["expected"] == 2 * 8
        found = record(done, name)
        assert found["coverage"]["tiny"]["expected"] == 2 * 10 + 4
        values = {k.rpartition(".")[2]: v for k, v in found["metrics"].items() if "gzsl" in k}
        s, u = values["seen_class_mean"], values["unseen_class_mean"]
        assert values["harmonic"] == pytest.approx(2 * s * u / (s + u) if s + u else 0, abs=1e-5)


def test_k220_tests_160_of_the_new_classes(done: Path) -> None:
    overlap = json.loads((done / "splits/all/overlap.json").read_text())
    assert set(overlap["test"]) == {"tiny", "kinetics600"}
    assert min(one["distance"] for one in overlap["classes"]) > 0.001  # "abseiling" is not tested
    assert {len(one["unseen"]) for one in splits(done, "kinetics600.k220")} == {160}
    assert set(record(done, "transfer")["per_split"]["kinetics600.k220.top1"]) == {"1", "2", "3"}


def test_tables_show_every_protocol(done: Path) -> None:
    table = json.loads(run_bench(done, "table", "-w", "splits", "-f", "json").out)
    assert {(one["dataset"], one["protocol"]) for one in table} == {
        (name, protocol) for name, listed in PROTOCOLS.items() for protocol in listed
    }
    text = run_bench(done, "table", "-w", "splits").out
    assert "4, 12 to 21 listed videos" in text and "2, 4 seen videos" in text
    sota = json.loads(run_bench(done, "table", "-w", "sota", "-f", "json").out)
    ours = {one["protocol"] for one in sota if one["method"] == "base_ls"}
    assert ours == {protocol for listed in PROTOCOLS.values() for protocol in listed}
    (gzsl,) = (o for o in sota if (o["method"], o["protocol"]) == ("base_ls", "gzsl"))
    assert gzsl["metrics"]["tiny.gzsl.harmonic"]["n"] == 2


@pytest.fixture
def copy(done: Path, tmp_path: Path) -> Path:
    return shutil.copytree(done, tmp_path / "project")


@pytest.mark.parametrize(
    ("name", "protocols", "trained_again"),
    [("tiny", ["official3"], False), ("kinetics600", ["full"], True)],
)
def test_protocols_of_the_same_embeddings_train_nothing_new(
    copy: Path, name: str, protocols: list[str], trained_again: bool
) -> None:
    path = copy / "params.yaml"
    raw = YAML(typ="safe").load(path)
    raw["profiles"]["all"]["datasets"][name]["protocols"] = protocols
    YAML(typ="safe").dump(raw, path)
    stages(copy, "splits")
    layout = Layout(copy, "all")
    transfer, *_ = plan(load_config(copy), layout)
    assert (transfer.split, is_done(layout, transfer)) == ("transfer", not trained_again)


def test_lists_whose_videos_are_all_of_other_names(copy: Path) -> None:
    for number in (1, 2, 3):
        lines = [f"{c}/w_{c}.avi" for c in CLASSES["tiny"]]
        (copy / "lists" / f"testlist0{number}.txt").write_text("\n".join(lines))
    stages(copy, "splits")
    ended = run_bench(copy, "stage", "score")
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "no video of test list 1 is in tiny" in ended.err


def test_data_that_changed_have_no_score_by_the_lists(copy: Path) -> None:
    arrays = dict(np.load(copy / "tiny.npz"))
    arrays["features"][0, 0] += 1
    np.savez(copy / "tiny.npz", **arrays)
    stages(copy, "data", "words", "splits", "score")
    assert "tiny.official3.top1" not in record(copy, "transfer")["metrics"]
    assert "outdated" in run_bench(copy, "status").out
