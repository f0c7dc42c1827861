"""The splits of every protocol against their definitions."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.data import reference as facts
from bench.data.splits.protocols import (
    fifty_fifty,
    full,
    given_splits,
    gzsl,
    half10,
    k220,
    published,
)
from bench.errors import UserError

UCF = list(facts.classes("ucf101"))
HMDB = list(facts.classes("hmdb51"))


def test_order_is_by_code_point() -> None:
    shuffled = ["JumpingJack", "Hammering", "JumpRope", "HammerThrow"]
    ordered = ["HammerThrow", "Hammering", "JumpRope", "JumpingJack"]
    assert full(shuffled, []) == [{"name": "full", "seen": [], "unseen": ordered}]
    assert UCF.index("HammerThrow") == UCF.index("Hammering") - 1


@pytest.mark.parametrize(("classes", "half"), [(UCF, 50), (HMDB, 25)])
def test_half10_is_the_released_draw(classes: list[str], half: int) -> None:
    splits = half10(list(reversed(classes)), ["b", "a"])
    assert [one["name"] for one in splits] == [str(s) for s in range(10)]
    for s, one in enumerate(splits):
        chosen = np.random.RandomState(s).permutation(len(classes))[:half]
        assert set(one["unseen"]) == {classes[i] for i in chosen}
        assert len(one["unseen"]) == half
        assert one["seen"] == ["a", "b"]


@pytest.mark.parametrize(("classes", "seen", "unseen"), [(UCF, 51, 50), (HMDB, 26, 25)])
def test_fifty_fifty_draws_disjoint_halves(classes: list[str], seen: int, unseen: int) -> None:
    splits = fifty_fifty(classes, 50, seed=0)
    for one in splits:
        assert (len(one["seen"]), len(one["unseen"])) == (seen, unseen)
        assert sorted(one["seen"] + one["unseen"]) == classes
    assert len({tuple(one["seen"]) for one in splits}) == 50
    assert splits[:3] == fifty_fifty(list(reversed(classes)), 3, seed=0)
    assert splits[:3] != fifty_fifty(classes, 3, seed=1)


def test_the_own_table_of_xu_is_what_was_published(shared_data: Path) -> None:
    raw = json.loads((shared_data / "splits" / "xu50.json").read_text(encoding="utf-8"))
    for name, classes in (("ucf101", UCF), ("hmdb51", HMDB)):
        assert published("xu50", name, classes) == given_splits(raw, name, classes, "xu50.json")


def test_47_of_the_50_published_draws_are_distinct() -> None:
    splits = published("xu50", "ucf101", UCF)
    assert [one["name"] for one in splits] == [f"{i:02d}" for i in range(50)]
    assert len({tuple(one["unseen"]) for one in splits}) == 47


@pytest.mark.parametrize(
    ("which", "dataset", "seen", "unseen"),
    [
        ("truze", "ucf101", 70, 31),
        ("truze67", "ucf101", 67, 34),
        ("truze", "hmdb51", 29, 22),
        ("truze67", "hmdb51", 29, 22),
    ],
)
def test_truze(which: str, dataset: str, seen: int, unseen: int) -> None:
    classes = UCF if dataset == "ucf101" else HMDB
    (one,) = published(which, dataset, classes)
    assert (one["name"], len(one["seen"]), len(one["unseen"])) == ("1", seen, unseen)
    assert sorted(one["seen"] + one["unseen"]) == classes


def test_the_two_versions_of_truze_differ_in_three_classes() -> None:
    (a,), (b,) = published("truze", "ucf101", UCF), published("truze67", "ucf101", UCF)
    assert set(b["unseen"]) - set(a["unseen"]) == {"BaseballPitch", "CuttingInKitchen", "Punch"}
    assert set(a["unseen"]) < set(b["unseen"])


def test_published_lists_in_the_data_sets_own_spelling_and_for_no_other_data_set() -> None:
    spelled = [name.lower() for name in UCF]
    assert "applyeyemakeup" in published("truze", "ucf101", spelled)[0]["seen"]
    with pytest.raises(
        UserError, match="unknown data set of truze 'ucf110'; did you mean 'ucf101'"
    ):
        published("truze", "ucf110", UCF)


def test_k220(shared_data: Path) -> None:
    classes, k400 = list(facts.classes("kinetics600")), list(facts.classes("kinetics400"))
    splits = k220("kinetics600", classes, k400)
    folder = shared_data / "splits" / "k220"
    names = [e["word"] for e in json.loads((folder / "classes620_label_defn.json").read_text())]
    for one, side in ((s, k) for k in ("unseen", "validation") for s in splits):
        file = folder / f"{'tst' if side == 'unseen' else 'val'}_class_idxs.json"
        places = json.loads(file.read_text())[int(one["name"]) - 1]
        assert one[side] == sorted(names[i] for i in places)  # type: ignore[literal-required]
        assert len(one[side]) == (160 if side == "unseen" else 60)  # type: ignore[literal-required]
        assert one["seen"] == k400


def test_k220_after_training_on_one_of_its_classes() -> None:
    classes = list(facts.classes("kinetics600"))
    with pytest.raises(UserError, match="k220 tests 'yarn spinning', a training class"):
        k220("kinetics600", classes, ["yarn spinning"])


def test_gzsl_holds_a_fifth_of_each_seen_class_out() -> None:
    halves = fifty_fifty(["a", "b", "c", "d"], 3, seed=0)
    sizes = {"a": 2, "b": 10, "c": 13, "d": 7}
    videos = {c: [f"{c}/{i}" for i in range(n)] for c, n in sizes.items()}
    splits = gzsl(halves, videos, seed=0)
    for half, one in zip(halves, splits, strict=True):
        assert {k: v for k, v in one.items() if k != "held_out"} == half
        held = {c: sum(v.startswith(c) for v in one["held_out"]) for c in "abcd"}
        wanted = {"a": 1, "b": 2, "c": 3, "d": 1}
        assert held == {c: wanted[c] if c in one["seen"] else 0 for c in "abcd"}
    backwards = {c: list(reversed(listed)) for c, listed in videos.items()}
    assert gzsl(halves[:2], backwards, seed=0) == splits[:2]  # more draws change no earlier one
    assert gzsl(halves, videos, seed=1) != splits


def test_gzsl_of_a_class_with_one_video() -> None:
    halves = fifty_fifty(["a", "b"], 1, seed=0)
    with pytest.raises(UserError, match=r"'[ab]' has fewer"):
        gzsl(halves, {"a": ["x"], "b": ["y"]}, seed=0)


@pytest.mark.parametrize(
    ("raw", "wrong"),
    [
        ({"hmdb51": []}, "no list of splits for data set abc"),
        ([], "no list of splits"),
        ("text", "no list of splits"),
        ([["a"]], "split 0 is not an object"),
        ([{"seen": ["a"], "unseen": ["b"]}, {"seen": ["a"]}], "split 1 has no"),
        ([{"train": ["a"], "test": []}], "split 0 has no"),
        ([{"seen": ["a"], "unseen": ["d"]}], "unknown class of abc 'd'"),
        ([{"seen": ["a", "b"], "unseen": ["b"]}], "class 'b' .* both sides"),
        ([{"seen": [1], "unseen": ["b"]}], "split 0"),
        ([{"seen": [["a"]], "unseen": ["b"]}], "split 0"),
        ([{"seen": "ab", "unseen": ["c"]}], "split 0 has no"),
        (
            [{"seen": ["archry"], "unseen": ["b"]}],
            "split 0: unknown class .* did you mean 'archery'",
        ),
        ([{"seen": ["a", "A"], "unseen": ["b"]}], "class 'a' is listed twice"),
        ([{"name": "x", "seen": ["a"], "unseen": ["b"]}] * 2, "'x' is not the first"),
        ([{"name": "a/b", "seen": ["a"], "unseen": ["b"]}], "'a/b'"),
    ],
)
def test_given_splits_that_are_wrong(raw: Any, wrong: str) -> None:
    with pytest.raises(UserError, match=f"splits.json: .*{wrong}") as error:
        given_splits(raw, "abc", ["a", "b", "c", "archery"], "splits.json")
    assert "\n" not in str(error.value)
