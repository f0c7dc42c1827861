"""From class names to words to vectors."""

import json
from pathlib import Path

import numpy as np
import pytest

from bench import facts
from bench.errors import UserError
from bench.words.classes import class_vectors, class_words, given_class_vectors

X, Y = np.array([1, 0], np.float32), np.array([0, 1], np.float32)


@pytest.mark.parametrize("dataset", ["ucf101", "hmdb51", "kinetics700"])
def test_words_are_the_released_rules(dataset: str, shared_data: Path) -> None:
    file = shared_data.parent / "spec" / "class_words.json"
    if not file.is_file():
        pytest.skip(f"no {file}")
    given = json.loads(file.read_text(encoding="utf-8"))[dataset]
    assert class_words(dataset, list(given)) == given
    assert set(given) == set(facts.classes(dataset))


def test_plain_rule_for_data_sets_of_the_users_own() -> None:
    names = ["ApplyEyeMakeup", "brush_hair", "circle bouncing", "TVShow", "playing 8Ball"]
    assert list(class_words("my_own", names).values()) == [
        ["apply", "eye", "makeup"],
        ["brush", "hair"],
        ["circle", "bouncing"],
        ["tv", "show"],
        ["playing", "8", "ball"],
    ]


def test_a_class_vector_is_the_mean_and_is_not_normalised_again() -> None:
    found = class_vectors({"one": ["x"], "both": ["x", "y"]}, {"x": X, "y": Y}, "a.bin")
    assert found.tolist() == [[1, 0], [0.5, 0.5]]


def test_a_missing_word_names_class_and_word() -> None:
    with pytest.raises(
        UserError, match=r"class 'zen yoga': no vector for its word 'zen' in a\.bin"
    ):
        class_vectors({"ok": ["x"], "zen yoga": ["x", "zen"]}, {"x": X}, "a.bin")


def test_a_class_without_words() -> None:
    with pytest.raises(UserError, match="class '!!' has no words"):
        class_vectors(class_words("my_own", ["!!"]), {}, "a.bin")


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
