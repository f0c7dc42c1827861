"""`bench splits`: what the stage has built is printed as it stands."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from project import Bench, overlap_json

DISTANCES = {"same": -0.0, "near": 0.049999, "edge": 0.05, "under": 0.05, "far": 0.4}
KEPT = ["edge", "far"]  # "under" is 0.0499999 away, which six digits do not show


@pytest.fixture
def overlap(project: Path) -> None:
    """Write what the stage writes at τ = 0.05."""
    classes = [
        {"class": name, "kept": name in KEPT, "nearest": "n", "dataset": "t", "distance": distance}
        for name, distance in DISTANCES.items()
    ]
    file = {"train": "k", "test": ["t"], "tau": 0.05, "digest": "d", "classes": classes}
    (project / "splits" / "mini").mkdir(parents=True)
    (project / "splits" / "mini" / "overlap.json").write_text(overlap_json(file))


@pytest.mark.parametrize(
    ("options", "tau", "kept"),
    [
        ((), 0.05, KEPT),
        (("--tau", "0.05"), 0.05, KEPT),
        (("--tau", "0"), 0, list(DISTANCES)),
        (("--tau", "0.4"), 0.4, ["far"]),
        (("--tau", "0.41"), 0.41, []),
    ],
)
def test_overlap(
    bench: Bench, overlap: None, options: tuple[str, ...], tau: float, kept: list[str]
) -> None:
    found = json.loads(bench("splits", "overlap", *options, "--format", "json").out)
    assert (found["train"], found["test"], found["tau"]) == ("k", ["t"], tau)
    assert found["kept"] == kept
    removed = {one["class"]: one["distance"] for one in found["removed"]}
    assert removed == {name: d for name, d in DISTANCES.items() if name not in kept}
    text = bench("splits", "overlap", *options).out
    assert text.startswith(f"tau = {tau:g}: {len(kept)} of 5 classes of k kept\n")


def test_show_reads_what_was_built(bench: Bench, project: Path) -> None:
    splits = [{"name": "full", "seen": ["x"], "unseen": ["y", "z"]}]
    file = {"dataset": "mini_ucf", "protocol": "full", "definition": "all", "digest": "d"}
    (project / "splits" / "mini").mkdir(parents=True)
    path = project / "splits" / "mini" / "mini_ucf.full.json"
    path.write_text(json.dumps(file | {"splits": splits}))
    code, out, err = bench("splits", "show", "mini_ucf", "full", "-f", "json")
    assert (code, json.loads(out), err) == (0, splits, "")
    assert "full: 1 seen, 2 unseen" in bench("splits", "show", "mini_ucf", "full").out


def show(bench: Bench, *words: str) -> Any:
    code, out, err = bench("splits", "show", *words, "-f", "json")
    assert code == 0, err
    return json.loads(out)


@pytest.mark.parametrize(
    ("words", "splits", "seen", "unseen"),
    [
        ("ucf101 fifty-fifty --published", 50, 51, 50),
        ("hmdb51 fifty-fifty --published", 50, 26, 25),
        ("hmdb51 fifty-fifty", 50, 26, 25),
        ("ucf101 truze", 1, 70, 31),
        ("ucf101 truze67", 1, 67, 34),
        ("kinetics600 k220", 3, 0, 160),
        ("activitynet200 half10", 10, 0, 100),
    ],
)
def test_show_of_public_data_sets_needs_no_data(
    bench: Bench, words: str, splits: int, seen: int, unseen: int
) -> None:
    found = show(bench, *words.split())
    assert len(found) == splits
    assert {(len(one["seen"]), len(one["unseen"])) for one in found} == {(seen, unseen)}


def test_show_official3(bench: Bench, shared_data: Path) -> None:
    found = show(bench, "ucf101", "official3", "--lists", str(shared_data / "splits" / "ucf101"))
    assert [len(one["videos"]) for one in found] == [3783, 3734, 3696]
    assert "v_HandStandPushups_g01_c01" in found[0]["videos"]


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        ("ucf101 official3", "ucfTrainTestlist are missing"),
        ("ucf101 official3 --lists absent.zip", "absent.zip are missing"),
        ("ucf101 gzsl", "run 'bench stage splits'"),
        ("ucf101 truze --published", "fifty-fifty only"),
        ("ucf101 truze --lists x", "official3 only"),
        ("ucf101 k220", "unknown data set of k220 'ucf101'; known: kinetics600"),
        ("kinetics600 truze", "data set of truze"),
    ],
)
def test_show_of_what_is_not_known(bench: Bench, words: str, wrong: str) -> None:
    code, out, err = bench("splits", "show", *words.split())
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert wrong in err


def union(bench: Bench, *words: str, tests: str = "ucf101,hmdb51") -> Any:
    ended = bench(
        "splits", "overlap", "--train", "kinetics700", "--test", tests, "-f", "json", *words
    )
    assert ended.code == 0, ended.err
    return json.loads(ended.out)


def test_36_classes_have_the_very_words_of_a_test_class(bench: Bench) -> None:
    found = union(bench)
    assert (len(found["kept"]), len(found["removed"])) == (664, 36)
    assert {one["distance"] for one in found["removed"]} == {0}
    assert found["tau"] == 0.05
    assert len(union(bench, tests="ucf101")["removed"]) < 36
    assert len(union(bench, tests="ucf101, hmdb51 ,activitynet200")["removed"]) > 36
    assert len(union(bench, "--tau", "0")["kept"]) == 700
    assert found["by"] == union(bench, "--tau", "5")["by"] == "words"  # no τ changes anything
    words = "splits overlap --train kinetics700 --test ucf101,hmdb51 --tau 5"
    out = bench(*words.split()).out
    assert out.startswith(
        "tau = 5: 664 of 700 classes of kinetics700 kept, compared by their words"
    )


def test_a_union_by_word_vectors(bench: Bench, shared_data: Path) -> None:
    file = shared_data / "word2vec" / "googlenews_recovered_vocab.npz"
    found = union(bench, "--vectors", str(file))
    removed = {one["class"]: one for one in found["removed"]}
    assert len(removed) == 37
    discus = removed["throwing discus"]
    assert (discus["nearest"], discus["distance"]) == (
        "JavelinThrow",
        pytest.approx(0.0425, abs=1e-4),
    )
    assert [one["class"] for one in found["borderline"]] == ["throwing discus"]
    open_ones = [one for one in found["undecided"] if one["dataset"] == "kinetics700"]
    assert len(found["kept"]) + len(removed) + len(open_ones) == 700
    assert all(one["words"] for one in open_ones)


def test_borderline_classes_stand_by_distance(bench: Bench, overlap: None) -> None:
    def borderline(*words: str) -> list[str]:
        out = bench("splits", "overlap", "-f", "json", *words).out
        return [one["class"] for one in json.loads(out)["borderline"]]

    assert borderline() == ["near", "edge", "under"]
    assert borderline("--borderline", "1") == ["near", "edge"]
    assert borderline("--borderline", "9", "--tau", "0.2") == [
        "same", "near", "edge", "under", "far"
    ]  # fmt: skip
    assert "borderline near: 0.0500 from n (t), removed\n" in bench("splits", "overlap").out


def test_a_word_that_the_vectors_lack_is_named(bench: Bench, tmp_path: Path) -> None:
    np.savez(tmp_path / "v.npz", words=["archery", "bowl", "swim"], vectors=np.eye(3))
    words = "splits overlap --train kinetics700 --test ucf101 --vectors v.npz"
    out = bench(*words.split()).out
    assert out.startswith("tau = 0.05: ") and "undecided because words have no vector" in out
    assert "undecided abseiling (kinetics700): no vector for abseil\n" in out
    assert "removed archery: 0.0000 from Archery (ucf101)\n" in out
    unfiltered = bench(*words.split(), "--tau", "0").out
    assert unfiltered.startswith("tau = 0: 700 of 700 classes of kinetics700 kept\n")
    assert "undecided" not in unfiltered


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        ("--train kinetics700", "--train and --test go together"),
        ("--train kinetics700 --test ,", "--train and --test go together"),
        ("--vectors v.npz", "--train and --test go together"),
        ("--train kinetics70 --test ucf101", "'kinetics70'; did you mean 'kinetics700'"),
        ("--train kinetics700 --test ucf101 --vectors absent.npz", "absent.npz are missing"),
        ("--borderline -1", "--borderline"),
    ],
)
def test_unions_that_cannot_be_measured(bench: Bench, words: str, wrong: str) -> None:
    code, out, err = bench("splits", "overlap", *words.split())
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert wrong in err
