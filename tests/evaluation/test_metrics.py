"""The metrics against references in plain Python."""

import math

import numpy as np
import pytest

from bench.evaluation.metrics import (
    LEFT_OUT,
    Cosines,
    accuracies,
    class_means,
    closeness,
    dispersion,
    generalised,
    ranks,
    ranks_and_own,
)
from bench.models.similarity import cosine

RNG = np.random.default_rng(0)
VIDEO = RNG.normal(size=(40, 6)).astype(np.float32)
CLASSES = RNG.normal(size=(9, 6)).astype(np.float32)
LABELS = np.array([0, 0, 0, *RNG.integers(0, 8, 37)], np.int32)  # class 8 has no video
# Scores of a few values only, so that ties are everywhere.
TIED = RNG.integers(0, 3, size=(40, 9)).astype(np.float64)
SUBSETS = [list(range(9)), [0, 3, 4, 7], [6, 1, 2], [5]]


def cos(a: np.ndarray, b: np.ndarray) -> float:
    dot = sum(float(x) * float(y) for x, y in zip(a, b, strict=True))
    lengths = [math.sqrt(sum(float(x) ** 2 for x in v)) for v in (a, b)]
    return dot / (lengths[0] * lengths[1])


def predictions(scores: np.ndarray, columns: list[int]) -> list[tuple[int, list[int]]]:
    """Return, for each video of these classes, its label and the columns from best to worst.

    Of equal scores the smaller column comes first, as in an argmax.
    """
    listed = []
    for row, label in zip(scores, LABELS.tolist(), strict=True):
        if label in columns:
            listed.append((label, sorted(columns, key=lambda c: (-row[c], c))))
    return listed


def test_cosine() -> None:
    wanted = [[cos(v, c) for c in CLASSES] for v in VIDEO]
    assert cosine(VIDEO, CLASSES) == pytest.approx(np.array(wanted), abs=1e-12)
    assert (cosine(np.zeros((1, 6)), CLASSES) == 0).all()


@pytest.mark.parametrize("columns", SUBSETS)
@pytest.mark.parametrize("scores", [TIED, cosine(VIDEO, CLASSES)], ids=["tied", "cosine"])
def test_accuracies(scores: np.ndarray, columns: list[int]) -> None:
    order = predictions(scores, columns)
    hits = [(label, best.index(label)) for label, best in order]
    rank = ranks(scores, LABELS, [[5, 6], columns])[:, 1]
    values, per_class = accuracies(rank, LABELS, columns)
    assert rank[rank != LEFT_OUT].tolist() == [rank for _, rank in hits]
    assert values["top1"] == pytest.approx(100 * sum(r == 0 for _, r in hits) / len(hits))
    assert values["top5"] == pytest.approx(100 * sum(r < 5 for _, r in hits) / len(hits))
    shares = []
    for c in columns:
        own = [rank for label, rank in hits if label == c]
        assert per_class[c] == (len(own), sum(r == 0 for r in own))
        shares += [sum(r == 0 for r in own) / len(own)] if own else []
    assert values["class_mean"] == pytest.approx(100 * sum(shares) / len(shares))


def test_rows_on_demand_rank_as_the_whole_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    video, labels = np.tile(VIDEO, (10, 1)), np.tile(LABELS, 10)
    whole = cosine(video, CLASSES)
    monkeypatch.setattr("bench.evaluation.metrics._ROWS", 128)  # 400 videos: three parts and a rest
    rank, own = ranks_and_own(Cosines(video, CLASSES), labels, SUBSETS)
    assert (rank == ranks(whole, labels, SUBSETS)).all()
    assert (own == whole[np.arange(400), labels]).all()


def test_of_equal_scores_the_first_column_is_the_answer() -> None:
    scores, labels = np.ones((2, 2)), np.array([0, 1])
    assert ranks(scores, labels, [[0, 1]])[:, 0].tolist() == [0, 1]
    assert (scores.argmax(1) == labels).tolist() == [True, False]


def test_micro_counts_videos_and_class_mean_counts_classes() -> None:
    scores, labels = np.eye(2)[[0, 0, 0, 0]], np.array([0, 0, 0, 1])
    values, _ = accuracies(ranks(scores, labels, [[0, 1]])[:, 0], labels, [0, 1])
    assert (values["top1"], values["class_mean"]) == (75, 50)


def test_no_video_of_these_classes() -> None:
    with pytest.raises(ValueError, match="no video"):
        accuracies(ranks(TIED, LABELS, [[8]])[:, 0], LABELS, [8])


@pytest.mark.parametrize("columns", SUBSETS)
def test_closeness(columns: list[int]) -> None:
    means = []
    for c in columns:
        own = [1 - cos(v, CLASSES[c]) for v, y in zip(VIDEO, LABELS, strict=True) if y == c]
        means += [sum(own) / len(own)] if own else []
    own = cosine(VIDEO, CLASSES)[np.arange(40), LABELS]
    found = closeness(class_means(own, LABELS, 9), columns)
    assert found == pytest.approx(sum(means) / len(means))


@pytest.mark.parametrize("columns", SUBSETS)
def test_dispersion(columns: list[int]) -> None:
    centres = {}
    for c in columns:
        own = [v.astype(float) for v, y in zip(VIDEO, LABELS, strict=True) if y == c]
        if own:
            centres[c] = [sum(column) / len(own) for column in zip(*own, strict=True)]
    nearest = [
        min(1 - cos(np.array(a), np.array(b)) for k, b in centres.items() if k != y)
        for y, a in centres.items()
        if len(centres) > 1
    ]
    wanted = sum(nearest) / len(nearest) if nearest else 0.0
    found = dispersion(class_means(VIDEO, LABELS, 9), columns)
    assert found == pytest.approx(wanted)


def test_generalised_is_zero_where_one_side_is() -> None:
    labels = np.array([0, 0, 1])
    similarity = np.array([[2.0, 1.0], [2.0, 1.0], [2.0, 1.0]])
    rank = ranks(similarity, labels, [[0, 1]])[:, 0]
    values, per_class = generalised(rank, labels, [0], [1])
    assert (values["seen_top1"], values["unseen_top1"], values["harmonic"]) == (100, 0, 0)
    assert per_class == {0: (2, 2), 1: (1, 0)}
    with pytest.raises(ValueError, match="no video of unseen classes"):
        generalised(rank[:2], labels[:2], [0], [1])
