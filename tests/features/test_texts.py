"""Definitions: several forms of file, names in any spelling, a class without one is named."""

import json
from pathlib import Path

import pytest

from bench.errors import UserError
from bench.features.text_encoder import named, read_texts, spoken, words_in


@pytest.mark.parametrize(
    "content",
    [
        {"Apply Eye Makeup": "put on"},
        {"apply_eye_makeup": ["put", "on"]},
        [{"word": "apply eye makeup", "defn": "put on"}],
        [{"label": "ApplyEyeMakeup", "text": "put on", "other": 1}],
    ],
)
def test_forms_of_files(tmp_path: Path, content: object) -> None:
    path = tmp_path / "texts.json"
    path.write_text(json.dumps(content))
    (text,) = named(["ApplyEyeMakeup"], read_texts(path), "x")
    assert text in ("apply eye makeup: put on", "apply eye makeup: put. on")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "are missing; set their path"),
        ("{", "cannot be read"),
        ('["a"]', "cannot be read"),
        ('[{"word": "a"}]', "none of defn, text, definition, description"),
        ("3", "cannot be read"),
        ('{"a": null}', "'None' is not a text"),
        ('{"a": {"text": "moves"}}', "is not a text"),
        ('{"Jump": "up", "jump": "down"}', "'Jump' and 'jump' are one name with two texts"),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, content: str | None, reason: str) -> None:
    path = tmp_path / "texts.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=reason) as error:
        read_texts(path)
    assert "\n" not in str(error.value)


def test_a_class_without_a_text_is_named() -> None:
    with pytest.raises(UserError, match="no text of 'b' and 1 more in defs"):
        named(["a", "b", "c"], {"a": "text", "c": " "}, "defs")


def test_words_of_names_and_texts() -> None:
    assert spoken("HandstandPushups") == "handstand pushups"
    assert words_in("One's eye-lids, 2 (two)") == ["One's", "eye", "lids", "2", "two"]
