"""Metrics in numpy. One similarity matrix serves every protocol: a split is a set of columns."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.scoring.similarity import Floats, cosine

Labels = NDArray[np.integer[Any]]


def ranks(similarity: Floats, labels: Labels, columns: Sequence[int]) -> NDArray[np.int64]:
    """Return, for each video whose class is among ``columns``, how many of them score higher.

    Equal scores count as higher for columns before the label's own, as an argmax does. Videos of
    other classes are left out, as they are by every protocol. [M], in the order of ``labels``.
    """
    chosen = np.asarray(sorted(columns))
    rows = np.flatnonzero(np.isin(labels, chosen))
    scores = similarity[rows][:, chosen]
    own = np.searchsorted(chosen, labels[rows])
    right = scores[np.arange(len(rows)), own][:, None]
    earlier = np.arange(len(chosen)) < own[:, None]
    higher = (scores > right) | ((scores == right) & earlier)
    count: NDArray[np.int64] = higher.sum(1)
    return count


def accuracies(
    similarity: Floats, labels: Labels, columns: Sequence[int]
) -> tuple[dict[str, float], dict[int, tuple[int, int]]]:
    """Return top1, top5 and class_mean in percent over ``columns``, and per class (videos, right).

    top1 and top5 are over videos (micro); class_mean is the mean over classes that have videos.
    """
    rank = ranks(similarity, labels, columns)
    own = labels[np.isin(labels, np.asarray(columns))]
    per_class = {
        int(c): (int((own == c).sum()), int(((rank == 0) & (own == c)).sum())) for c in columns
    }
    if len(own) == 0:
        raise ValueError("no video of these classes was scored")
    shares = [right / count for count, right in per_class.values() if count]
    values = {
        "top1": 100 * float((rank == 0).mean()),
        "top5": 100 * float((rank < 5).mean()),
        "class_mean": 100 * float(np.mean(shares)),
    }
    return values, per_class


def generalised(
    similarity: Floats, labels: Labels, seen: Sequence[int], unseen: Sequence[int]
) -> tuple[dict[str, float], dict[int, tuple[int, int]]]:
    """Return S, U and H = 2SU/(S+U) in percent over the columns of both sides, and per class.

    ``harmonic`` is of the class means (Xian et al. 2017, Mandal et al. 2019), ``harmonic_top1`` of
    the accuracies over videos; ``seen_…`` and ``unseen_…`` are their S and U.
    """
    _, per_class = accuracies(similarity, labels, [*seen, *unseen])
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


def closeness(similarity: Floats, labels: Labels, columns: Sequence[int]) -> float:
    """Mean over classes of the mean of 1 − cos(v, s_y) over the class's videos (lower: closer)."""
    own = similarity[np.arange(len(labels)), labels]
    means = [1 - own[labels == c].mean() for c in columns if (labels == c).any()]
    return float(np.mean(means))


def dispersion(video: Floats, labels: Labels, columns: Sequence[int]) -> float:
    """Mean over classes of the distance to the nearest other class's mean embedding.

    (1/K) Σ_y min_{k≠y} (1 − cos(v̄_y, v̄_k)), v̄ the mean of the un-normalised embeddings [N,D].
    NaN-free: with fewer than two classes that have videos it is 0.
    """
    present = [c for c in columns if (labels == c).any()]
    if len(present) < 2:
        return 0.0
    centres = np.stack([video[labels == c].astype(np.float64).mean(0) for c in present])
    distance = 1 - cosine(centres, centres)
    np.fill_diagonal(distance, np.inf)
    return float(distance.min(1).mean())
