"""From words to class vectors."""

from pathlib import Path

import numpy as np
import pytest

from bench.data import reference as facts
from bench.data.words.class_vectors import class_vectors, given_class_vectors, missing
from bench.data.words.word_vectors import read_vectors
from bench.errors import UserError

X, Y = np.array([1, 0], np.float32), np.array([0, 1], np.float32)


def test_a_class_vector_is_the_mean_and_is_not_normalised_again() -> None:
    words = {"mine": {"one": ["x"], "both": ["x", "y"]}, "other": {"one": ["y"]}}
    found = class_vectors(words, {"x": X, "y": Y}, "a.bin")
    assert {name: rows.tolist() for name, rows in found.items()} == {
        "mine": [[1, 0], [0.5, 0.5]],
        "other": [[0, 1]],
    }


def test_missing_words_are_counted_and_named_with_their_class() -> None:
    words = {"mine": {"ok": ["x"], "zen yoga": ["x", "zen"]}, "other": {"zen": ["zen", "a", "zen"]}}
    with pytest.raises(UserError) as error:
        class_vectors(words, {"x": X}, "a.bin")
    assert str(error.value).startswith(
        "2 classes have words without a vector in a.bin: 'zen' of class 'zen yoga' (mine), "
        "'zen' of class 'zen' (other), 'a' of class 'zen' (other); rename"
    )
    assert missing(words["mine"] | words["other"], {"x"}) == {
        "zen": ["zen yoga", "zen"],
        "a": ["zen"],
    }


def test_of_many_missing_words_the_first_are_named() -> None:
    with pytest.raises(UserError, match=r"^9 classes have .* 'w4' of class 'w4' .mine., …; rename"):
        class_vectors({"mine": {f"w{i}": [f"w{i}"] for i in range(9)}}, {}, "a.bin")


def test_a_class_without_words() -> None:
    with pytest.raises(UserError, match="class '!!' of mine has no words"):
        class_vectors({"mine": {"!!": []}}, {}, "a.bin")


def test_real_vectors_give_the_published_distance(shared_data: Path) -> None:
    file = shared_data / "word2vec" / "googlenews_recovered_vocab.npz"
    if not file.is_file():
        pytest.skip(f"no {file}")
    words = {name: facts.classes(name) for name in ("kinetics700", "ucf101", "hmdb51")}
    vectors = read_vectors(file, {w for of in words.values() for ws in of.values() for w in ws})
    covered = {
        name: {c: ws for c, ws in of.items() if not missing({c: ws}, vectors)}
        for name, of in words.items()
    }
    assert {name: len(of) for name, of in covered.items()} == {
        **{"kinetics700": 116, "ucf101": 54, "hmdb51": 49}
    }
    found = {
        name: dict(zip(covered[name], rows.astype(np.float64), strict=True))
        for name, rows in class_vectors(covered, vectors, file.name).items()
    }
    one, other = found["kinetics700"]["throwing discus"], found["ucf101"]["JavelinThrow"]
    cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    assert round(1 - cosine, 4) == 0.0425


def test_given_vectors_are_normalised_and_found_by_name(tmp_path: Path) -> None:
    path = tmp_path / "given.npz"
    np.savez(path, names=np.array(["b", "a", "c"]), vectors=np.array([[0, 2], [3, 4], [1, 0]]))
    assert given_class_vectors(path, ["a", "b"], "mine") == pytest.approx(
        np.array([[0.6, 0.8], [0, 1]])
    )
    with pytest.raises(UserError, match="class 'd' of mine has no vector"):
        given_class_vectors(path, ["a", "d"], "mine")


@pytest.mark.parametrize("damage", ["missing", "empty", "truncated", "text", "keys", "zero"])
def test_given_vectors_that_cannot_be_used(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "given.npz"
    keys = {"names": np.array(["a"]), "vectors": np.zeros((1, 200)) + (damage != "zero")}
    np.savez(path, **({"n": keys["names"]} if damage == "keys" else keys))
    if damage == "missing":
        path.unlink()
    elif damage in ("empty", "truncated"):
        path.write_bytes(path.read_bytes()[: 0 if damage == "empty" else 700])
    elif damage == "text":
        path.write_text("no archive")
    with pytest.raises(UserError, match=r"given\.npz") as error:
        given_class_vectors(path, ["a"], "mine")
    assert "\n" not in str(error.value)
