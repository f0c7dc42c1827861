"""Stage words on a word2vec file: what it keeps, what it complains of, what it notices."""

import json
from pathlib import Path

import numpy as np
import pytest
from project import Bench, write_index_file

from bench.config.paths import Layout
from bench.data.formats.words_file import WordsFile
from bench.data.words.class_vectors import load_class_vectors
from bench.data.words.word_vectors import read_vectors

PARAMS = """
profile: mine
profiles:
  mine:
    title: two classes
    datasets: {ucf101_mine: {kind: videos, root: videos}}
    words: {kind: word2vec, file: ../outside.txt}
    tau: 0
"""
TEXT = "ride 3 4\nrid 0 2\nhorse 5 0\nfly 0 1\nski 1 1\n"


@pytest.fixture
def outside(project: Path) -> Path:
    """Give a file of word vectors outside a project of one data set with two classes."""
    (project / "params.yaml").write_text(PARAMS)
    index = Layout(project, "mine").index
    index.mkdir(parents=True)
    write_index_file(index, "ucf101_mine", classes=["RidingHorse", "Skiing"])
    path = project.parent / "outside.txt"
    path.write_text(TEXT)
    return path


def test_it_keeps_the_used_words_and_class_vectors(
    bench: Bench, project: Path, outside: Path
) -> None:
    assert bench("stage", "words").code == 0
    folder = Layout(project, "mine").words
    with np.load(folder / "vectors.npz") as kept:
        assert list(kept["words"]) == ["horse", "rid", "ski"]
        assert kept["vectors"][:2].tolist() == [[1, 0], [0, 1]]
    assert load_class_vectors(folder, "ucf101_mine")["RidingHorse"].tolist() == [0.5, 0.5]
    facts = json.loads((folder / "words.json").read_text())
    assert facts["classes"] == {"ucf101_mine": {"RidingHorse": ["rid", "horse"], "Skiing": ["ski"]}}
    assert facts["sources"]["../outside.txt"]["bytes"] == len(TEXT)


def test_a_changed_file_is_noticed(bench: Bench, project: Path, outside: Path) -> None:
    bench("stage", "words")
    stored = WordsFile.require(Layout(project, "mine").words / "words.json")
    outside.write_text(TEXT)
    assert stored.changed_sources(project) == []
    outside.write_text(TEXT.replace("5 0", "6 0"))
    assert stored.changed_sources(project) == ["../outside.txt"]
    assert "outside.txt changed since" in bench("words", "ucf101_mine").err
    outside.unlink()
    assert stored.changed_sources(project) == []


def test_words_without_a_vector_leave_what_is_there(
    bench: Bench, project: Path, outside: Path
) -> None:
    bench("stage", "words")
    folder = Layout(project, "mine").words
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    outside.write_text("fly 0 1\n")
    ended = bench("stage", "words")
    assert ended.code == 2
    assert ended.err.startswith(
        "error: 2 classes have words without a vector in outside.txt: 'rid'"
    )
    assert ended.err.count("\n") == 1
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_word_vectors_that_no_input_asks_for(bench: Bench, project: Path, outside: Path) -> None:
    names = ["RidingHorse", "Skiing"]
    np.savez(project / "classes.npz", names=names, vectors=np.eye(2))
    given = "{kind: class_vectors, files: {ucf101_mine: classes.npz}, vectors: ../outside.txt}"
    text = PARAMS.replace("{kind: word2vec, file: ../outside.txt}", given)
    (project / "params.yaml").write_text(text)
    assert bench("stage", "words").code == 0
    assert read_vectors(Layout(project, "mine").words / "vectors.npz", ["ride"]) == {}
