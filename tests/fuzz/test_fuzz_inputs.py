"""Files that methods' inputs are made of: features, object scores, definitions, signatures."""

import io
import json
from pathlib import Path
from random import Random

import numpy as np
import pandas as pd
import pytest
from fuzzing import Target, fuzz
from hostile import changed_bytes, changed_json, seeds
from made_arrays import npy, npz

from bench.config.profile import DataSet
from bench.data.discovery import list_features
from bench.data.index import Index, write_index
from bench.data.input_store import read_objects, read_videos
from bench.features.object_vocabulary import read_scores, read_signatures, score_names
from bench.features.texts import named, read_texts
from bench.utils.io import dump_json

_DEFINITIONS = [
    {"run": "to move fast", "jump": ["to leap", "to spring"]},
    [{"label": "run", "defn": "to move fast"}, {"class": "jump", "text": "to leap"}],
]
_INDEX = Index(
    name="toy", kind="videos", root=Path("v"), classes=["jump", "run"], digest="d", keys={},
    paths=["run/a.avi", "run/b.avi", "jump/c.avi"], labels=np.array([1, 1, 0]), source="",
    frames=np.array([1, 1, 1]), rows=np.arange(3), reasons=[""] * 3,
)  # fmt: skip


def _features(random: Random, folder: Path) -> None:
    arrays = {
        "features": np.random.RandomState(0).rand(6, 4).astype("f4"),
        "labels": np.array(["run", "jump"] * 3) if random.random() < 0.5 else np.arange(6) % 2,
        "ids": np.array([f"v{i}" for i in range(6)]),
    }
    if random.random() < 0.7:
        name, data = "f.npz", npz(arrays, random)
    else:
        name, out = "f.parquet", io.BytesIO()
        columns = {k: list(v) for k, v in arrays.items()}
        if random.random() < 0.4:
            odd = [[1.0], [], None, ["x"] * 4, [[1.0] * 4] * 2]
            columns[random.choice(list(columns))] = [random.choice(odd)] * 6
        pd.DataFrame(columns).to_parquet(out)
        data = changed_bytes(out.getvalue(), random) if random.random() < 0.7 else out.getvalue()
    (folder / name).write_bytes(data)
    described = DataSet(kind="features", file=Path(name), classes=("run", "jump"))
    file, rows = list_features("toy", described, folder)
    write_index(folder / "index", "toy", "features", file, rows)


def _scores(random: Random, folder: Path) -> None:
    arrays = {
        "scores": np.random.RandomState(0).rand(3, 2, 4).astype("f4"),
        "names": np.array(["ball", "bike", "horse", "cup"]),
        "ids": np.array(["a", "b", "c"]),
    }
    (folder / "s.npz").write_bytes(npz(arrays, random))
    score_names({"toy": folder / "s.npz"})
    assert np.isfinite(read_scores(folder / "s.npz", _INDEX)).all()


def _texts(random: Random, folder: Path) -> None:
    data = changed_json(json.dumps(random.choice(_DEFINITIONS)), random)
    (folder / "d.json").write_bytes(data)
    dump_json(named(["run", "jump"], read_texts(folder / "d.json"), "d.json")).encode()


def _signatures(random: Random, folder: Path) -> None:
    data = changed_json(json.dumps({"run": ["ball", "bike"], "jump": ["horse"]}), random)
    (folder / "s.json").write_bytes(data)
    read_signatures(folder / "s.json", ["run", "jump"], ["ball", "bike", "horse"])


def _stored(random: Random, folder: Path) -> None:
    arrays = {"names": np.array(["ball", "bike"]), "vectors": np.ones((2, 3), np.float32)}
    (folder / "objects.npz").write_bytes(npz(arrays, random))
    (folder / "toy.npy").write_bytes(changed_bytes(npy(np.ones((3, 1, 4), np.float32)), random))
    facts = json.dumps({"key": "k", "digest": "d", "failures": {"1": "broken"}})
    (folder / "toy.json").write_bytes(
        changed_json(facts, random) if random.random() < 0.5 else facts.encode()
    )
    if random.random() < 0.5:
        read_objects(folder)
    else:
        read_videos(folder, "toy", 3)


TARGETS = [
    Target("features", seeds(), _features, share=7, short=50),
    Target("object scores", seeds(), _scores, share=8, short=60),
    Target("definitions", seeds(), _texts, share=10, short=60),
    Target("signatures", seeds(), _signatures, share=10, short=60),
    Target("inputs as stored", seeds(), _stored, share=6, short=40),
]


@pytest.mark.parametrize("target", TARGETS, ids=lambda one: one.name)
def test_inputs(target: Target, tmp_path: Path) -> None:
    assert fuzz(target, tmp_path, target.short)["refused"]
