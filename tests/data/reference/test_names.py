import pytest

from bench.data.reference.class_names import finder
from bench.errors import UserError


def test_case_spaces_and_punctuation_do_not_count():
    find = finder("class", ["HandstandPushups", "passing American football (in game)"])
    assert find("hand_stand pushups") == "HandstandPushups"
    assert find("passing_american_football_(in_game)") == "passing American football (in game)"


def test_an_accent_counts_however_it_is_written():
    find = finder("class", ["jeté", "jete"])
    assert (find("Jete\N{COMBINING ACUTE ACCENT}"), find("Jete")) == ("jeté", "jete")


def test_a_vowel_sign_counts():
    assert finder("class", ["दिन", "दान"])("दान") == "दान"


def test_an_unknown_name_names_the_nearest():
    with pytest.raises(UserError, match="unknown class 'Archry'; did you mean 'Archery'"):
        finder("class", ["Archery", "Biking"])("Archry")
