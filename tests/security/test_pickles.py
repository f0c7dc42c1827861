"""A pickle in any file that the program reads is refused, and nothing of it is executed."""

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench.data.index import read_features
from bench.data.input_store import read_classes, read_objects, read_videos
from bench.data.video.frame_store import FrameStore
from bench.data.words.class_vectors import given_class_vectors, load_class_vectors
from bench.data.words.word_vectors import read_vectors
from bench.errors import UserError
from bench.evaluation.predictions import read_predictions
from bench.features.image_classifiers import _read
from bench.features.object_vocabulary import score_names
from bench.pipeline.released_checkpoints import read_released
from bench.training.trainer import resume
from bench.utils.io import write_sealed


class Bomb:
    """Creates a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, Any]:
        return open, (str(self.mark), "w")


def _npy(bomb: Bomb) -> bytes:
    out = io.BytesIO()
    array = np.empty(1, object)
    array[0] = bomb
    np.save(out, array, allow_pickle=True)
    return out.getvalue()


NAMES = ("features", "labels", "ids", "names", "vectors", "words", "scores", "classes", "texts")


def _npz(bomb: Bomb) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in (*NAMES, "toy.names", "toy.vectors"):
            archive.writestr(f"{name}.npy", _npy(bomb))
    return out.getvalue()


def _torch(bomb: Bomb) -> bytes:
    out = io.BytesIO()
    torch.save({"state_dict": {"a": bomb}, "method": bomb, "accuracy": bomb}, out)
    return out.getvalue()


MADE: dict[str, Callable[[Bomb], bytes]] = {
    "pickle": pickle.dumps, "npy": _npy, "npz": _npz, "torch": _torch,
}  # fmt: skip
READERS: dict[str, Callable[[Path], object]] = {
    "x.npz": lambda file: read_features(file, {}),
    "p.npz": lambda file: read_predictions(file, "toy", {"a": []}),
    "v.npz": lambda file: read_vectors(file, ["a"]),
    "v.bin": lambda file: read_vectors(file, ["a"]),
    "v.txt": lambda file: read_vectors(file, ["a"]),
    "c.npz": lambda file: given_class_vectors(file, ["a"], "toy"),
    "classes.npz": lambda file: load_class_vectors(file.parent, "toy"),
    "objects.npz": lambda file: read_objects(file.parent),
    "toy.npy": lambda file: read_videos(file.parent, "toy", 1),
    "toy.classes.npy": lambda file: read_classes(file.parent, "toy", 1),
    "s.npz": lambda file: score_names({"toy": file}),
    "x.pth.tar": read_released,
    "w.pth": lambda file: _read(file, "resnet50", None),
    "w.safetensors": lambda file: _read(file, "resnet50", None),
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("kind", MADE)
def test_nothing_is_unpickled(name: str, kind: str, tmp_path: Path) -> None:
    mark, file = tmp_path / "executed", tmp_path / name
    (tmp_path / "toy.json").write_text('{"failures": {}}', encoding="utf-8")
    file.write_bytes(MADE[kind](Bomb(mark)))
    with pytest.raises(UserError):
        READERS[name](file)
    assert not mark.exists()


def test_neither_from_a_state_toresume_nor_from_stored_frames(tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    (tmp_path / "state").write_bytes(_torch(Bomb(mark)))
    assert resume(tmp_path / "state", None, None)[0] == 0  # type: ignore[arg-type]
    write_sealed(tmp_path / "state", _torch(Bomb(mark)))
    with pytest.raises(pickle.UnpicklingError):
        resume(tmp_path / "state", None, None)  # type: ignore[arg-type]
    (tmp_path / "f.00000.bin").write_bytes(_npy(Bomb(mark)))
    shard = {"videos": 1, "bytes": 3, "mtime": 0, "digest": ""}
    content = {"shape": [1, 1, 3], "paths": ["a"], "sizes": [3], "lengths": [1], "failures": {}}
    (tmp_path / "f.json").write_text(json.dumps(content | {"shards": [shard]}), encoding="utf-8")
    with pytest.raises(UserError, match="no longer a shard of its store"):
        FrameStore(tmp_path / "f.json")
    assert not mark.exists()


@pytest.mark.slow
def test_a_folder_of_transformers_runs_nothing(tmp_path: Path) -> None:
    clip = pytest.importorskip("bench.features.image_text")
    pytest.importorskip("transformers")
    mark = tmp_path / "executed"
    config = '{"model_type": "bert", "auto_map": {"AutoModel": "evil.Evil"}}'
    (tmp_path / "config.json").write_text(config, encoding="utf-8")
    (tmp_path / "evil.py").write_text(f"open({str(mark)!r}, 'w')\n", encoding="utf-8")
    (tmp_path / "pytorch_model.bin").write_bytes(_torch(Bomb(mark)))
    with pytest.raises(UserError, match="transformers cannot read it"):
        clip.open_image_text(tmp_path)
    assert not mark.exists()
