"""Class name → words: the table is the released one; the rule explains all but its exceptions."""

import json
from itertools import combinations
from pathlib import Path
from unicodedata import normalize

import pytest

from bench.data import reference as facts
from bench.data.reference.class_names import key
from bench.data.words.class_vectors import (
    FAMILIES,
    PUBLIC,
    base_forms,
    class_words,
    family_of,
    rule,
    split,
)


@pytest.mark.parametrize("dataset", PUBLIC)
def test_words_are_the_released_ones(dataset: str, shared_data: Path) -> None:
    file = shared_data.parent / "spec" / "class_words.json"
    if not file.is_file():
        pytest.skip(f"no {file}")
    given = json.loads(file.read_text(encoding="utf-8"))[dataset]
    assert class_words(dataset, list(given)) == given == facts.classes(dataset)


@pytest.mark.parametrize("dataset", PUBLIC)
def test_classes_are_the_published_ones(dataset: str, shared_data: Path) -> None:
    file = shared_data / "classes" / f"{dataset}.txt"
    if not file.is_file():
        pytest.skip(f"no {file}")
    assert set(facts.classes(dataset)) == set(file.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize(("family", "dataset"), [(f, d) for f, ds in FAMILIES.items() for d in ds])
def test_the_rule_gives_all_words_but_the_exceptions(family: str, dataset: str) -> None:
    table = facts.classes(dataset)
    differing = {name for name, words in table.items() if rule(family, name) != words}
    assert differing == facts.exceptions(dataset)


def test_how_much_only_the_exceptions_explain() -> None:
    assert {d: len(facts.exceptions(d)) for d in PUBLIC} == {
        **{"ucf101": 9, "hmdb51": 0, "kinetics400": 14, "kinetics600": 18},
        **{"kinetics700": 21, "activitynet200": 10},
    }


def test_base_forms_are_few_unambiguous_and_final() -> None:
    forms = base_forms()
    assert sum(word != base for word, base in forms.items()) == 382
    assert all(forms.get(base, base) == base for base in forms.values())
    assert (forms["riding"], forms["shot"], forms["glasses"]) == ("rid", "shoot", "glass")


@pytest.mark.parametrize(
    ("dataset", "name", "words"),
    [
        ("kinetics700_2020", "throwing the frisbee (not in a park)", ["throw", "frisbee"]),
        ("Kinetics-700", "riding_camel_(desert)_(not_slowly)", ["rid", "camel", "desert"]),
        ("kinetics400", "notching (nothing)", ["notching", "nothing"]),
        ("ucf101", "RidingTVCamel", ["rid", "tv", "camel"]),
        ("ucf101_mine", "eating Apples", ["eat", "apples"]),
        ("hmdb51", "shoot_arrows_with_crossbow", ["shoot", "arrows", "with", "crossbow"]),
        ("activitynet200", "Using the jack-o-lanterns", ["jack-o-lanterns"]),
    ],
)
def test_a_new_name_has_the_rules_words(dataset: str, name: str, words: list[str]) -> None:
    assert class_words(dataset, [name]) == {name: words}


@pytest.mark.parametrize(
    ("dataset", "name", "words"),
    [
        ("kinetics700_2020", "clean_and_jerk", ["weight", "lift"]),
        ("ucf101", "HandStandPushups", ["handstand", "pushups"]),
        ("kinetics700", "Passing_American_football_(not_in_game)", "pass american football park"),
        ("kinetics600", "Passing_American_football_(not_in_game)", "pass american football"),
        ("kinetics400", "photobombing", ["take", "picture"]),
    ],
)
def test_a_known_class_is_known_in_any_spelling(
    dataset: str, name: str, words: str | list[str]
) -> None:
    assert class_words(dataset, [name])[name] == (
        words.split() if isinstance(words, str) else words
    )


@pytest.mark.parametrize("dataset", PUBLIC)
def test_no_two_classes_differ_by_spelling_alone(dataset: str) -> None:
    names = facts.classes(dataset)
    assert len({key(name) for name in names}) == len(names)


def test_plain_rule_for_data_sets_of_the_users_own() -> None:
    names = ["ApplyEyeMakeup", "brush_hair", "circle bouncing", "TVShow", "playing 8Ball"]
    assert [family_of(name) for name in ("my_own", "ucf15", "mini_ucf")] == ["", "", ""]
    assert list(class_words("my_own", names).values()) == [
        ["apply", "eye", "makeup"],
        ["brush", "hair"],
        ["circle", "bouncing"],
        ["tv", "show"],
        ["playing", "8", "ball"],
    ]
    assert split("", "!!") == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("crème brûlée", ["crème", "brûlée"]),
        (normalize("NFD", "CrèmeBrûlée"), ["crème", "brûlée"]),
        ("БегПоПляжу run", ["бег", "по", "пляжу", "run"]),
        ("ÉCOLEÉlan", ["école", "élan"]),
        ("दौड़ना", [normalize("NFC", "दौड़ना")]),
        ("跑步—8次", ["跑步", "8次"]),
    ],
)
def test_letters_of_every_script_are_letters(name: str, words: list[str]) -> None:
    assert class_words("my_own", [name]) == {name: words}


def test_36_training_classes_have_the_words_of_a_test_class() -> None:
    tests = {frozenset(w) for d in ("ucf101", "hmdb51") for w in facts.classes(d).values()}
    words = facts.classes("kinetics700").values()
    assert sum(frozenset(one) in tests for one in words) == 36


def test_the_kinetics_lists_agree_on_their_common_classes() -> None:
    for one, other in combinations(map(facts.classes, FAMILIES["kinetics"]), 2):
        assert all(one[name] == other[name] for name in one.keys() & other.keys())
