"""Files of word vectors in every format, files of class vectors, and what the stage words wrote."""

import gzip
from pathlib import Path
from random import Random

import numpy as np
import pytest
from fuzzing import Target, fuzz
from hostile import NAMES, changed_bytes, npz, seeds

from bench.data.words.class_vectors import given_class_vectors, load_class_vectors
from bench.data.words.word_vectors import read_vectors

WORDS = ("run", "jump", "ride", "bike")


def _numbers(random: Random, dim: int) -> list[float]:
    odd = random.choice((0.0, float("nan"), float("inf"), 1e300, -1e-45))
    return [odd if random.random() < 0.05 else random.gauss(0, 1) for _ in range(dim)]


def _file(random: Random) -> tuple[str, bytes]:
    words = [
        random.choice((w, random.choice(NAMES))) if random.random() < 0.2 else w for w in WORDS
    ]
    dim = random.choice((1, 2, 5))
    rows = [(w.encode("utf-8", "surrogatepass"), _numbers(random, dim)) for w in words]
    count = random.choice((0, 3, 5, 10**9, 10**18)) if random.random() < 0.2 else len(rows)
    said = random.choice((0, 7, 10**6, 10**12)) if random.random() < 0.2 else dim
    head = f"{count} {said}\n".encode()
    kind = random.choice(("bin", "txt", "vec", "glove"))
    if kind == "bin":
        with np.errstate(all="ignore"):
            data = head + b"".join(w + b" " + np.array(v, "<f4").tobytes() for w, v in rows)
    else:
        lines = [w + b" " + " ".join(map(str, v)).encode() + b"\n" for w, v in rows]
        data = (b"" if kind == "glove" else head) + b"".join(lines)
    if random.random() < 0.6:
        data = changed_bytes(data, random)
    name = f"v.{kind}"
    if random.random() < 0.4:
        data, name = gzip.compress(data, 1), f"{name}.gz"
        if random.random() < 0.4:
            data = changed_bytes(data, random)
    return name, data


def _vectors(random: Random, folder: Path) -> None:
    name, data = _file(random)
    (folder / name).write_bytes(data)
    found = read_vectors(folder / name, WORDS)
    for vector in found.values():
        assert vector.ndim == 1 and abs(float(np.linalg.norm(vector)) - 1) < 1e-3


def _npz(random: Random, folder: Path) -> None:
    arrays = {"words": np.array(WORDS), "vectors": np.ones((4, 3), np.float32)}
    (folder / "v.npz").write_bytes(npz(arrays, random))
    read_vectors(folder / "v.npz", WORDS)


def _class_vectors(random: Random, folder: Path) -> None:
    arrays = {"names": np.array(WORDS), "vectors": np.ones((4, 3), np.float32)}
    (folder / "c.npz").write_bytes(npz(arrays, random))
    given_class_vectors(folder / "c.npz", WORDS, "toy")


def _stored(random: Random, folder: Path) -> None:
    arrays = {"toy.names": np.array(WORDS), "toy.vectors": np.ones((4, 3), np.float32)}
    (folder / "classes.npz").write_bytes(npz(arrays, random))
    load_class_vectors(folder, "toy")


TARGETS = [
    Target("word vectors (bin, text, GloVe, gz)", seeds(), _vectors, share=20, short=150),
    Target("word vectors (npz)", seeds(), _npz, share=6, short=40),
    Target("class vectors (npz)", seeds(), _class_vectors, share=6, short=40),
    Target("class vectors as stored", seeds(), _stored, share=6, short=40),
]


@pytest.mark.parametrize("target", TARGETS, ids=lambda one: one.name)
def test_words(target: Target, tmp_path: Path) -> None:
    assert fuzz(target, tmp_path, target.short)["refused"]
