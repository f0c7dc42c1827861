"""The splits of every protocol against their definitions, and the τ exclusion."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import facts
from bench.errors import UserError
from bench.protocols import (
    Nearest,
    fifty_fifty,
    full,
    given_splits,
    half10,
    nearest_test_classes,
)

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


def test_published_splits_of_xu(shared_data: Path) -> None:
    file = shared_data / "splits" / "xu50.json"
    if not file.is_file():
        pytest.skip(f"no {file}")
    raw = json.loads(file.read_text(encoding="utf-8"))
    splits = given_splits(raw, "ucf101", UCF, "xu50.json")
    assert {(len(one["seen"]), len(one["unseen"])) for one in splits} == {(51, 50)}
    assert [one["name"] for one in splits] == [f"{i:02d}" for i in range(50)]
    assert sorted(raw["ucf101"][7]["test"]) == splits[7]["unseen"]
    assert len({tuple(one["unseen"]) for one in splits}) == 47  # three are duplicates


@pytest.mark.parametrize(
    ("raw", "wrong"),
    [
        ({"hmdb51": []}, "no list of splits for data set abc"),
        ([], "no list of splits"),
        ("text", "no list of splits"),
        ([["a"]], "split 0 is not an object"),
        ([{"seen": ["a"], "unseen": ["b"]}, {"seen": ["a"]}], "split 1 lacks"),
        ([{"train": ["a"], "test": []}], "split 0 lacks"),
        ([{"seen": ["a"], "unseen": ["d"]}], "class 'd'"),
        ([{"seen": ["a", "b"], "unseen": ["b"]}], "class 'b' .* both sides"),
        ([{"seen": [1], "unseen": ["b"]}], "split 0"),
        ([{"seen": [["a"]], "unseen": ["b"]}], "split 0"),
        ([{"name": "x", "seen": ["a"], "unseen": ["b"]}] * 2, "'x'"),
        ([{"name": "a/b", "seen": ["a"], "unseen": ["b"]}], "'a/b'"),
    ],
)
def test_given_splits_that_are_wrong(raw: Any, wrong: str) -> None:
    with pytest.raises(UserError, match=f"splits.json: .*{wrong}") as error:
        given_splits(raw, "abc", ["a", "b", "c"], "splits.json")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("distance", "tau", "kept"),
    [
        (0.05, 0.05, True),
        (0.05 - 1e-12, 0.05, False),
        (-1e-16, 0.0, True),
        (0.0, 0.0, True),
        (0.0, 1e-9, False),
    ],
)
def test_tau(distance: float, tau: float, kept: bool) -> None:
    assert Nearest("a", "b", "test", distance).kept(tau) is kept


def test_nearest_over_all_test_sets_whatever_the_lengths() -> None:
    def vectors(*rows: tuple[float, float]) -> np.ndarray:
        return np.array(rows, np.float32)

    found = nearest_test_classes(
        (["east", "north", "between"], vectors((3, 0), (0, 0.1), (1, 1))),
        {
            "one": (["e", "w"], vectors((0.5, 0), (-1, 0))),
            "two": (["n", "ne"], vectors((1, 2), (0, 7))),
        },
    )
    assert [(f.name, f.nearest, f.dataset) for f in found] == [
        ("east", "e", "one"),
        ("north", "ne", "two"),
        ("between", "n", "two"),
    ]
    wanted = [0, 0, 1 - 3 / np.sqrt(10)]
    assert [f.distance for f in found] == pytest.approx(wanted, abs=1e-6)
