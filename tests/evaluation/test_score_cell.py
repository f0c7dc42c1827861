"""Protocols as columns of one similarity matrix."""

from typing import Any

import numpy as np
import pytest

from bench.data.splits.protocols import full, half10, official3
from bench.evaluation.metrics import accuracies, class_means, closeness, dispersion, ranks
from bench.evaluation.score_cell import score
from bench.models.similarity import cosine
from bench.utils.bitstrings import unpack

NAMES = [f"class {i}" for i in range(9)]
RNG = np.random.default_rng(1)
ARRAYS: dict[str, Any] = {
    "test.video": RNG.normal(size=(60, 5)).astype(np.float32),
    "test.class": RNG.normal(size=(9, 5)).astype(np.float32),
    "test.label": np.arange(60, dtype=np.int32) % 9,
}
SPLITS = {("test", "full"): full(NAMES, []), ("test", "half10"): half10(NAMES, [])}


def test_half10_is_the_mean_over_ten_sets_of_columns() -> None:
    found = score(ARRAYS, {"test": NAMES}, SPLITS)
    video, labels = ARRAYS["test.video"], ARRAYS["test.label"]
    by_hand: dict[str, dict[str, float]] = {}
    for s in range(10):
        kept = sorted(np.random.RandomState(s).permutation(9)[:4].tolist())
        rows = np.isin(labels, kept)
        similarity = cosine(video[rows], ARRAYS["test.class"][kept])  # a matrix of their own
        own = np.searchsorted(kept, labels[rows])
        values, _ = accuracies(ranks(similarity, own, [range(4)])[:, 0], own, range(4))
        values["closeness"] = closeness(
            class_means(similarity[range(len(own)), own], own, 4), range(4)
        )
        values["dispersion"] = dispersion(class_means(video[rows], own, 4), range(4))
        for metric, value in values.items():
            by_hand.setdefault(metric, {})[str(s)] = value
    for metric, by_split in by_hand.items():
        key = f"test.half10.{metric}"
        assert found.per_split[key] == pytest.approx(by_split, abs=1e-6)
        assert found.metrics[key] == pytest.approx(np.mean(list(by_split.values())), abs=1e-6)


def test_full_is_over_all_classes_and_counts_each() -> None:
    found = score(ARRAYS, {"test": NAMES}, SPLITS)
    right = cosine(ARRAYS["test.video"], ARRAYS["test.class"]).argmax(1) == ARRAYS["test.label"]
    assert found.metrics["test.full.top1"] == pytest.approx(100 * right.mean(), abs=1e-6)
    counts = found.per_class["test.full"]
    assert sum(n for n, _ in counts.values()) == 60
    assert sum(hits for _, hits in counts.values()) == right.sum()
    assert set(found.per_class) == {"test.full"}
    assert not [key for key in found.per_split if ".full." in key]


def test_seen_classes_without_a_split_are_scored_at_once() -> None:
    arrays = {key.replace("test", "seen"): value for key, value in ARRAYS.items()}
    found = score(arrays, {"seen": NAMES}, SPLITS)
    assert set(found.metrics) == {
        f"seen.full.{metric}"
        for metric in ("top1", "top5", "class_mean", "closeness", "dispersion")
    }


def test_a_methods_own_score_ranks_and_its_embeddings_measure() -> None:
    own = np.eye(9)[ARRAYS["test.label"]].astype(np.float32)
    given = score(ARRAYS | {"test.score": own}, {"test": NAMES}, SPLITS).metrics
    plain = score(ARRAYS, {"test": NAMES}, SPLITS).metrics
    assert given["test.full.top1"] == 100 != plain["test.full.top1"]
    assert given["test.full.closeness"] == plain["test.full.closeness"]


def test_embeddings_of_different_lengths_have_no_closeness() -> None:
    arrays = ARRAYS | {"test.class": np.ones((9, 3)), "test.score": RNG.normal(size=(60, 9))}
    found = score(arrays, {"test": NAMES}, SPLITS).metrics
    assert "test.full.top1" in found
    assert "test.full.dispersion" in found
    assert "test.full.closeness" not in found


def test_of_a_split_with_videos_only_these_count() -> None:
    rows = np.arange(60)[::-1] + 100  # rows of an index of 200 videos, in another order
    names = {f"v{row}": int(row) for row in range(200)}
    chosen = [0, 3, 7, 20, 41, 42, 43, 59]
    listed = [f"v{rows[i]}" for i in chosen] + ["v3", "not in the index"]
    splits = {("test", "official3"): official3(NAMES, [], [listed])}
    found = score(ARRAYS | {"test.row": rows}, {"test": NAMES}, splits, {"test": names})
    cut = {k: v[chosen] if k != "test.class" else v for k, v in ARRAYS.items()}
    alone = score(cut, {"test": NAMES}, {("test", "official3"): full(NAMES, [])})
    assert found.metrics == alone.metrics
    assert sum(n for n, _ in found.per_class["test.official3"].values()) == len(chosen)


def test_gzsl_ranks_over_all_classes_and_scatters_over_the_unseen() -> None:
    half = {"name": "00", "seen": NAMES[:5], "unseen": NAMES[5:], "held_out": ["x"]}
    found = score(ARRAYS, {"test": NAMES}, {("test", "gzsl"): [half]}).metrics
    labels, video = ARRAYS["test.label"], ARRAYS["test.video"]
    similarity = cosine(video, ARRAYS["test.class"])
    right = similarity.argmax(1) == labels
    s = np.mean([100 * right[labels == c].mean() for c in range(5)])
    u = np.mean([100 * right[labels == c].mean() for c in range(5, 9)])
    assert found["test.gzsl.harmonic"] == pytest.approx(2 * s * u / (s + u), abs=1e-5)
    assert found["test.gzsl.seen_class_mean"] == pytest.approx(s, abs=1e-5)
    assert found["test.gzsl.unseen_top1"] == pytest.approx(
        100 * right[labels >= 5].mean(), abs=1e-5
    )
    assert "test.gzsl.top1" not in found
    assert found["test.gzsl.dispersion"] == pytest.approx(
        dispersion(class_means(video, labels, 9), range(5, 9))
    )


def test_right_videos_are_in_the_order_of_the_index() -> None:
    rows = RNG.permutation(60)
    listed = [f"v{i}" for i in (4, 8, 15, 16, 23, 42)]
    half = {"name": "00", "seen": NAMES[:5], "unseen": NAMES[5:], "held_out": ["x"]}
    splits = SPLITS | {("test", "official3"): official3(NAMES, [], [listed])}
    splits |= {("test", "gzsl"): [half]}
    names = {"test": {f"v{i}": i for i in range(60)}}
    found = score(ARRAYS | {"test.row": rows}, {"test": NAMES}, splits, names)
    labels, similarity = ARRAYS["test.label"], cosine(ARRAYS["test.video"], ARRAYS["test.class"])
    first = dict(zip(rows, similarity.argmax(1) == labels, strict=True))
    for protocol, split in (("full", "full"), ("gzsl", "00")):
        expected = [first[i] for i in range(60)]
        assert unpack(found.right[f"test.{protocol}"][split], 60).tolist() == expected
    (text,) = found.right["test.official3"].values()
    assert unpack(text, 6).tolist() == [first[i] for i in (4, 8, 15, 16, 23, 42)]

    kept = sorted(np.random.RandomState(3).permutation(9)[:4].tolist())
    own = {row: label for row, label in zip(rows, labels, strict=True) if label in kept}
    among = dict(zip(rows, np.array(kept)[similarity[:, kept].argmax(1)], strict=True))
    expected = [among[i] == own[i] for i in sorted(own)]
    assert found.videos["test.half10"]["3"] == len(expected)
    assert unpack(found.right["test.half10"]["3"], len(expected)).tolist() == expected
    for split, top1 in found.per_split["test.half10.top1"].items():
        count = found.videos["test.half10"][split]
        bits = unpack(found.right["test.half10"][split], count)
        assert 100 * bits.mean() == pytest.approx(top1, abs=1e-6)


def test_training_videos_have_no_bits() -> None:
    arrays = {key.replace("test", "seen"): value for key, value in ARRAYS.items()}
    found = score(arrays, {"seen": NAMES}, {})
    assert (found.right, found.videos) == ({}, {})


def test_a_class_that_was_not_embedded() -> None:
    splits = {("test", "full"): full([*NAMES, "class 9"], [])}
    with pytest.raises(ValueError, match="test full full: class not embedded"):
        score(ARRAYS, {"test": NAMES}, splits)
