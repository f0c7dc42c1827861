"""The words of the embedded world: the distances that its splits and its test classes rest on."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from gensim.models import KeyedVectors

from bench.data.synthetic.corpus import (
    MOTIONS,
    NEAR_DUPLICATES,
    PROPERTIES,
    SHAPES,
    SYNONYMS,
    sentences,
    train_vectors,
    world_classes,
)
from bench.utils.io import file_digest

CLASSES = world_classes()
TAU = 0.05


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("words") / "vectors.bin"
    train_vectors(path)
    return path


@pytest.fixture(scope="module")
def vectors(trained: Path) -> KeyedVectors:
    return KeyedVectors.load_word2vec_format(str(trained), binary=True)


def _classes(vectors: KeyedVectors, names: list[str]) -> np.ndarray:
    rows = np.stack(
        [
            np.mean([vectors.get_vector(w, norm=True) for w in name.split()], axis=0)
            for name in names
        ]
    )
    unit: np.ndarray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def test_sentences_are_seeded() -> None:
    assert sentences(50) == sentences(50)
    assert sentences(50) != sentences(50, seed=1)
    assert len(sentences(50)) == 50


def test_no_word_is_described_by_a_class_word() -> None:
    names = {word for classes in CLASSES.values() for name in classes for word in name.split()}
    described = [word for text in PROPERTIES.values() for word in text.split()]
    assert not names & set(described)
    assert len(described) == len(set(described))


def test_every_class_word_has_a_vector(vectors: KeyedVectors) -> None:
    words = {word for names in CLASSES.values() for name in names for word in name.split()}
    assert words <= set(vectors.key_to_index)
    assert vectors.vector_size == 300


def test_tau_removes_the_four_near_duplicates_by_a_margin(vectors: KeyedVectors) -> None:
    seen = CLASSES["mini_kinetics"]
    test = _classes(vectors, CLASSES["mini_ucf"] + CLASSES["mini_hmdb"])
    nearest = (1 - _classes(vectors, seen) @ test.T).min(axis=1)
    assert {name for name, d in zip(seen, nearest, strict=True) if d < TAU} == set(NEAR_DUPLICATES)
    kept = nearest[nearest >= TAU]
    assert len(kept) == 40
    assert kept.min() > 2 * TAU
    assert nearest.min() < 1e-6
    assert 0.001 < nearest[seen.index("box bouncing")] < TAU / 2


def test_a_synonym_is_the_nearest_word(vectors: KeyedVectors) -> None:
    for word, synonym in SYNONYMS.items():
        assert vectors.most_similar(synonym, topn=1)[0][0] == word


def test_shapes_and_motions_stand_apart(vectors: KeyedVectors) -> None:
    words = _classes(vectors, [*SHAPES, *MOTIONS])
    assert (words @ words.T - 2 * np.eye(len(words))).max() < 0.8


def test_same_bytes_with_any_kernel_threads_and_hash_seed(trained: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.bin"
    code = (
        "import sys, pathlib; from bench.data.synthetic.corpus import train_vectors; "
        "train_vectors(pathlib.Path(sys.argv[1]))"
    )
    root = Path(__file__).parents[3]
    machine = {"OPENBLAS_CORETYPE": "Haswell", "OMP_NUM_THREADS": "2", "PYTHONHASHSEED": "123"}
    environment = {**os.environ, **machine, "PYTHONPATH": str(root)}
    subprocess.run([sys.executable, "-c", code, str(again)], check=True, env=environment, cwd=root)
    assert again.read_bytes() == trained.read_bytes()
    # No file records this digest for another machine, so it is here: it must hold on every CPU.
    assert file_digest(trained) == "c1d7445c345411a6"
