"""Stage inputs on tiny features: what it makes, what is missing and why, what methods get."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from project import copy_project, run_bench
from ruamel.yaml import YAML

from bench.config.paths import Layout
from bench.config.profile import Config
from bench.data.index import write_index
from bench.data.reference import pretraining_classes
from bench.data.words.word_vectors import write_vectors
from bench.features import input_makers as makers
from bench.features.input_makers import Workspace
from bench.utils.io import read_json

CLASSES = ["ride horse", "play flute", "throw ball", "cut bread", "wash dog", "climb rock"]
OBJECTS = ["horse", "flute", "ball", "unheard"]
VIDEOS = 8  # of each class
DETECTOR = "ssdlite320_mobilenet_v3_large"
PROFILE: dict[str, Any] = {
    "title": "tiny",
    "datasets": {"tiny": {"kind": "features", "file": "tiny.npz", "protocols": ["fifty-fifty"]}},
    "words": {"kind": "class_vectors", "files": {"tiny": "words.npz"}, "vectors": "vectors.npz"},
    "fifty_fifty": {"draws": 2},
    "network": {"head": 8},
    "train": {"steps": 20, "batch": 8, "warmup": 4, "log_every": 10},
    "inputs": {
        "texts": {"kind": "json", "files": {"tiny": "texts.json"}},
        "objects": {"kind": "scores", "files": {"tiny": "scores.npz"}},
        "signatures": "signatures.json",
    },
    "own": {"er": {"train": {"steps": 10, "optimiser": "adam"}}},
}


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """Give a copy of the project whose only profile is the tiny one, indexed, with its words."""
    copy_project(tmp_path)
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(len(CLASSES)), VIDEOS)
    names = np.array(CLASSES)
    features = rng.normal(size=(len(labels), 3, 5)) + labels[:, None, None]
    np.savez(tmp_path / "tiny.npz", features=features.astype(np.float32), labels=names[labels])
    np.savez(tmp_path / "words.npz", names=names, vectors=rng.normal(size=(len(CLASSES), 7)))
    words = sorted({w for c in CLASSES for w in c.split()} | {"animal", "round", "thing"})
    np.savez(tmp_path / "vectors.npz", words=words, vectors=rng.normal(size=(len(words), 7)))
    scores = rng.random((len(labels), len(OBJECTS)))
    scores /= scores.sum(1, keepdims=True)
    np.savez(tmp_path / "scores.npz", scores=scores.astype(np.float32), names=OBJECTS)
    (tmp_path / "texts.json").write_text(json.dumps({c: "a round thing" for c in CLASSES}))
    (tmp_path / "signatures.json").write_text(json.dumps({c: ["horse", "Ball"] for c in CLASSES}))
    raw = {"profile": "tiny", "profiles": {"tiny": PROFILE}}
    YAML(typ="safe").dump(raw, tmp_path / "params.yaml")
    for stage in ("data", "words", "splits"):
        assert run_bench(tmp_path, "stage", stage).code == 0
    return tmp_path


def status(tiny: Path) -> dict[str, Any]:
    ended = run_bench(tiny, "stage", "inputs")
    assert (ended.code, ended.err) == (0, "")
    found: dict[str, Any] = read_json(tiny / "results" / "inputs" / "tiny.json")
    return found


def test_everything_that_is_described_is_made(tiny: Path) -> None:
    found = status(tiny)
    assert set(found) == {"features", "texts", "objects", "signatures"}
    assert all(one["digests"].keys() == {"tiny"} and not one["lacking"] for one in found.values())
    folder = tiny / "data" / "tiny" / "inputs"
    assert np.load(folder / "texts" / "tiny.classes.npy").shape == (6, 7)
    assert np.load(folder / "objects" / "tiny.npy").shape == (48, 1, 4)
    assert np.load(folder / "signatures" / "tiny.classes.npy").tolist() == [[0, 2]] * 6
    with np.load(folder / "objects" / "objects.npz") as objects:
        assert objects["vectors"].any(1).tolist() == [True, True, True, False]


def test_it_is_made_again_when_its_file_changes_and_only_then(tiny: Path) -> None:
    first = status(tiny)
    made = (tiny / "data" / "tiny" / "inputs" / "objects" / "tiny.npy").stat().st_mtime_ns
    assert status(tiny) == first
    assert (tiny / "data/tiny/inputs/objects/tiny.npy").stat().st_mtime_ns == made
    scores = dict(np.load(tiny / "scores.npz"))
    scores["scores"][0] = scores["scores"][0][::-1]
    np.savez(tiny / "scores.npz", **scores)
    second = status(tiny)
    assert second["objects"] != first["objects"] and second["texts"] == first["texts"]


@pytest.mark.parametrize(
    ("file", "content", "name", "reason"),
    [
        ("texts.json", {c: "thing" for c in CLASSES[1:]}, "texts", "no text of 'ride horse'"),
        ("texts.json", {c: "zzz" for c in CLASSES}, "texts", ""),
        ("texts.json", None, "texts", "are missing"),
        ("signatures.json", {c: ["horze"] for c in CLASSES}, "signatures", "did you mean 'horse'"),
        ("signatures.json", {}, "signatures", "none for class 'climb rock'"),
        ("scores.npz", None, "objects", "scores.npz"),
    ],
)
def test_a_missing_input_gives_its_reason_and_stops_nothing(
    tiny: Path, file: str, content: Any, name: str, reason: str
) -> None:
    if content is None:
        (tiny / file).unlink()
    else:
        (tiny / file).write_text(json.dumps(content))
    lacking = status(tiny)[name]["lacking"].get("tiny", "")
    assert reason in lacking and "\n" not in lacking


def test_methods_run_on_what_is_there_and_the_others_are_missing(tiny: Path) -> None:
    for path in (tiny / "methods").glob("[!_]*.py"):
        if path.stem not in ("er", "clip", "base_ls"):
            path.unlink()
    status(tiny)
    ended = run_bench(tiny, "train", "-j", "1")
    assert ended.code == 0, ended
    assert "clip: missing, needs clip: describe it as profiles.tiny.inputs.clip" in ended.out
    assert run_bench(tiny, "stage", "score").code == 0
    table = json.loads(run_bench(tiny, "table", "-w", "sota", "-f", "json").out)
    rows = {
        r["row"]: r for r in table if "fifty-fifty" in r["protocol"] and r["status"] != "quoted"
    }
    assert {n: rows[n]["status"] for n in ("er", "clip", "base_ls")} == {
        "er": "ok", "clip": "missing", "base_ls": "ok",
    }  # fmt: skip
    folder = tiny / "results" / "records" / "tiny"
    steps = {name: set() for name in ("er", "base_ls")}
    for path in folder.glob("*.json"):
        record = json.loads(path.read_text())
        steps[record["method"]].add((record["steps"], record["parameters"]["train"]["optimiser"]))
    assert steps == {"er": {(10, "adam")}, "base_ls": {(20, "sgd")}}  # its own schedule
    assert rows["er"]["inputs"]["objects"] == "scores of scores.npz"
    assert "describe it as" in rows["clip"]["reasons"][0]
    # Other texts outdate only the row that used them.
    (tiny / "texts.json").write_text(json.dumps({c: "an animal" for c in CLASSES}))
    status(tiny)
    states = run_bench(tiny, "status").out
    assert "er       2 outdated" in states and "base_ls  2 ok" in states


def test_boxes_follow_a_new_numbering_of_the_objects(
    project: Path, put: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("a/one.mp4")
    layout = Layout(project, "own")
    rows = pd.DataFrame({"path": ["a/one.mp4"], "class": ["a"], "frames": [3]})
    write_index(layout.index, "mine", "videos", project / "videos", rows)
    known = pretraining_classes("coco")
    horse = known.index("horse")
    layout.words.mkdir(parents=True)
    write_vectors(layout.words / "vectors.npz", {"horse": np.ones(2, np.float32)})
    np.savez(project / "scores.npz", scores=np.ones((1, 1, 2)) / 2, names=["jay", "horse"])

    def found(frames: np.ndarray) -> np.ndarray:
        return np.tile(np.array([horse, 1, 0, 0, 1, 1], np.float32), (len(frames), 1, 1))

    def load(model: str, weights: Any, *_: Any) -> Any:
        assert weights == "download"
        return known, found

    monkeypatch.setattr(makers, "load_detector", load)
    inputs = {"boxes": {"model": DETECTOR, "weights": "download", "frames": 2}}
    more = {"objects": {"kind": "scores", "files": {"mine": "scores.npz"}}}
    for described, place in ((inputs, horse), (inputs | more, 1), (inputs, horse)):
        profile = PROFILE | {
            "datasets": {"mine": {"kind": "videos", "root": "videos"}},
            "inputs": described,
        }
        makers.boxes(Workspace(Config(name="own", profile=profile), layout), "mine")
        stored = np.load(layout.inputs / "boxes" / "mine.npy")
        assert stored[..., 0].tolist() == [[[place]] * 2]
