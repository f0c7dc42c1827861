"""Metrics in numpy. One pass over the similarities scores every split, a set of columns.

The matrix is computed a few thousand rows at a time and never held whole.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.models.similarity import Floats, cosine

Labels = NDArray[np.integer[Any]]
Ranks = NDArray[np.int32]

_ROWS = 4096  # rows of the matrix computed at a time
LEFT_OUT = -1  # rank of a video whose class is not in the split


class Cosines:
    """Cosines of video [N,D] with classes [K,D]: a matrix [N,K] whose rows are computed on demand.

    Rows equal those of ``cosine`` bit for bit if a slice starts at a multiple of 128.
    """

    def __init__(self, video: Floats, classes: Floats) -> None:
        """Keep both arrays; nothing is computed yet."""
        self._video, self._classes = video, classes
        self.shape = len(video), len(classes)

    def __getitem__(self, rows: slice) -> NDArray[np.float64]:
        """Return the rows of a slice."""
        return cosine(self._video[rows], self._classes)


def ranks(similarity: Floats | Cosines, labels: Labels, splits: Sequence[Sequence[int]]) -> Ranks:
    """Return the first of ``ranks_and_own``."""
    return ranks_and_own(similarity, labels, splits)[0]


def ranks_and_own(
    similarity: Floats | Cosines, labels: Labels, splits: Sequence[Sequence[int]]
) -> tuple[Ranks, Floats]:
    """Return the ranks [N,S], and each video's similarity with its own class [N].

    A rank is how many of a split's columns score higher than the video's own class. Equal scores
    count as higher for columns before the label's own, as an argmax does. Videos whose class
    is not in a split get ``LEFT_OUT``. Which columns score higher does not
    depend on the split, so one comparison and one product serve them all.
    """
    count = similarity.shape[1]
    chosen = np.zeros((count, len(splits)), np.float32)
    for number, columns in enumerate(splits):
        chosen[list(columns), number] = 1
    order = np.arange(count)
    found = np.empty((len(labels), len(splits)), np.int32)
    rights = []
    for start in range(0, len(labels), _ROWS):
        scores, own = similarity[start : start + _ROWS], labels[start : start + _ROWS]
        right = np.take_along_axis(scores, own[:, None].astype(np.int64), 1)
        rights.append(right[:, 0])
        higher = scores > right
        ties = scores == right
        higher |= ties & (order < own[:, None])
        counts = higher.astype(np.float32) @ chosen  # exact: fewer than 2²⁴ columns
        found[start : start + _ROWS] = np.where(chosen[own] > 0, counts, LEFT_OUT)
    return found, np.concatenate(rights) if rights else np.empty(0)


def accuracies(
    rank: Ranks, labels: Labels, columns: Sequence[int]
) -> tuple[dict[str, float], dict[int, tuple[int, int]]]:
    """Return top1, top5 and class_mean in percent over ``columns``, and per class (videos, right).

    ``rank`` [N] is the split's column of ``ranks``. top1 and top5 are over videos (micro);
    class_mean is the mean over classes that have videos. Raises ValueError without any video.
    """
    there = rank != LEFT_OUT
    total = int(there.sum())
    if total == 0:
        raise ValueError("no video of these classes was scored")
    per_class = _per_class(rank, labels, columns)
    shares = [right / count for count, right in per_class.values() if count]
    values = {
        "top1": 100 * float((rank == 0).sum() / total),
        "top5": 100 * float((there & (rank < 5)).sum() / total),
        "class_mean": 100 * float(np.mean(shares)),
    }
    return values, per_class


def generalised(
    rank: Ranks, labels: Labels, seen: Sequence[int], unseen: Sequence[int]
) -> tuple[dict[str, float], dict[int, tuple[int, int]]]:
    """Return S, U and H = 2SU/(S+U) in percent over the columns of both sides, and per class.

    ``rank`` [N] is among the columns of both. ``harmonic`` is of the class means (Xian et al. 2017,
    Mandal et al. 2019), ``harmonic_top1`` of the accuracies over videos; ``seen_…`` and
    ``unseen_…`` are their S and U. Raises ValueError where a side has no video.
    """
    per_class = _per_class(rank, labels, [*seen, *unseen])
    values: dict[str, float] = {}
    for side, columns in (("seen", seen), ("unseen", unseen)):
        counts = [per_class[c] for c in columns if per_class[c][0]]
        if not counts:
            raise ValueError(f"no video of {side} classes was scored")
        hits = sum(right for _, right in counts)
        values[f"{side}_top1"] = 100 * hits / sum(count for count, _ in counts)
        values[f"{side}_class_mean"] = 100 * float(np.mean([right / n for n, right in counts]))
    for name, metric in (("harmonic", "class_mean"), ("harmonic_top1", "top1")):
        s, u = values[f"seen_{metric}"], values[f"unseen_{metric}"]
        values[name] = 2 * s * u / (s + u) if s + u else 0.0
    return values, per_class


def _per_class(rank: Ranks, labels: Labels, columns: Sequence[int]) -> dict[int, tuple[int, int]]:
    most = max(columns, default=0) + 1
    videos = np.bincount(labels[rank != LEFT_OUT], minlength=most)
    right = np.bincount(labels[rank == 0], minlength=most)
    return {int(c): (int(videos[c]), int(right[c])) for c in columns}


def class_means(values: Floats, labels: Labels, classes: int) -> NDArray[np.float64]:
    """Return the mean of each class's rows of [N] or [N,D]: [K] or [K,D]; NaN without any."""
    means = np.full((classes, *values.shape[1:]), np.nan)
    for c in np.unique(labels):
        means[c] = values[labels == c].astype(np.float64).mean(0)
    return means


def closeness(own: Floats, columns: Sequence[int]) -> float:
    """Mean over classes of the mean of 1 − cos(v, s_y) over the class's videos (lower: closer).

    ``own`` [K] are the ``class_means`` of cos(v, s_y).
    """
    of_class = own[list(columns)]
    return float(np.mean(1 - of_class[~np.isnan(of_class)]))


def dispersion(centres: Floats, columns: Sequence[int]) -> float:
    """Mean over classes of the distance to the nearest other class's mean embedding.

    (1/K) Σ_y min_{k≠y} (1 − cos(v̄_y, v̄_k)), v̄ the ``class_means`` [K,D] of the un-normalised
    embeddings. NaN-free: with fewer than two classes that have videos it is 0.
    """
    of_class = centres[list(columns)]
    present = of_class[~np.isnan(of_class).any(1)]
    if len(present) < 2:
        return 0.0
    distance = 1 - cosine(present, present)
    np.fill_diagonal(distance, np.inf)
    return float(distance.min(1).mean())
