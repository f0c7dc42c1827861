"""The published numbers and class lists: complete, sourced, unique."""

from collections import Counter

import pytest

from bench.data.reference import classes, published
from bench.errors import UserError

SIZES = {"ucf101": 101, "hmdb51": 51, "kinetics400": 400, "kinetics600": 600}
SIZES |= {"kinetics700": 700, "activitynet200": 200}


def test_every_number_has_a_source_and_stands_once() -> None:
    numbers = published()
    assert all(number.source and number.label and number.protocol for number in numbers)
    keys = Counter((number.table, number.method, number.key) for number in numbers)
    assert max(keys.values()) == 1
    assert Counter(number.table for number in numbers) == {"ablation": 20, "sota": 40, "modern": 12}


def test_poster_ablation_in_its_order() -> None:
    rows = {
        n.method: n.value for n in published() if n.table == "ablation" and n.dataset == "ucf101"
    }
    assert list(rows) == ["base_mse", "base_ls", "base_ls_e2e", "aurl", "aurl_no_cg"]
    assert rows["aurl"] == 44.4


@pytest.mark.parametrize(("dataset", "size"), SIZES.items())
def test_class_lists(dataset: str, size: int) -> None:
    found = classes(dataset)
    assert len(found) == size
    assert list(found) == sorted(found)
    assert all(words and all(words) for words in found.values())


def test_words_follow_the_exceptions_of_the_released_code() -> None:
    assert classes("ucf101")["CleanAndJerk"] == ["weight", "lift"]


def test_unknown_class_list_names_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'ucf101'"):
        classes("ucf110")
