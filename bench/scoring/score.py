"""From one cell's embeddings and the split files to its metrics."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from bench.bits import pack
from bench.scoring.metrics import (
    LEFT_OUT,
    accuracies,
    class_means,
    closeness,
    dispersion,
    generalised,
    ranks,
)
from bench.scoring.similarity import cosine


@dataclass
class Scores:
    """Metrics as a record carries them; keys are "<data set>.<protocol>.<metric>".

    ``videos`` and ``right`` (packed bits, in the index's order) are by "<data set>.<protocol>" and
    split, of test data sets.
    """

    metrics: dict[str, float] = field(default_factory=dict)
    per_split: dict[str, dict[str, float]] = field(default_factory=dict)
    per_class: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)
    videos: dict[str, dict[str, int]] = field(default_factory=dict)
    right: dict[str, dict[str, str]] = field(default_factory=dict)


def score(
    arrays: Mapping[str, Any],
    names: Mapping[str, Sequence[str]],
    splits: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]],
    rows: Mapping[str, Mapping[str, int]] | None = None,
) -> Scores:
    """Score embeddings ("<data set>.video", ".class", ".label", optionally ".score") per protocol.

    ``names`` are each data set's embedded classes, ``splits`` maps (data set, protocol) to its
    splits. A split with "videos" is scored on these alone: ``rows`` maps their names to rows of the
    data set's index, ".row" holds those of the embeddings. A split with "held_out" is scored over
    its seen and unseen classes (``metrics.generalised``), its scatter over the unseen ones. The
    data set "seen" is scored over all its classes. The similarity matrix is computed once a data
    set. A split with a class that was not embedded is a ValueError.
    """
    scores = Scores()
    for dataset, classes in names.items():
        place = {name: i for i, name in enumerate(classes)}
        everything = [{"name": "full", "unseen": list(classes)}]
        wanted = {p: s for (d, p), s in splits.items() if d == dataset}
        parts = _Parts.of(dataset, arrays)
        for protocol, listed in (wanted or {"full": everything}).items():
            for one in listed:
                if not place.keys() >= {
                    *one["unseen"],
                    *(one["seen"] if "held_out" in one else ()),
                }:
                    raise ValueError(f"{dataset} {protocol} {one['name']}: class not embedded")
            values: dict[str, dict[str, float]] = {}
            for one, part, sides, rank in _ranked(parts, listed, place, (rows or {}).get(dataset)):
                found, per_class = _one(part, rank, *sides)
                for metric, value in found.items():
                    values.setdefault(metric, {})[str(one["name"])] = value
                if dataset != "seen":
                    bits = part.right(rank)
                    scope, split = f"{dataset}.{protocol}", str(one["name"])
                    scores.videos.setdefault(scope, {})[split] = len(bits)
                    scores.right.setdefault(scope, {})[split] = pack(bits)
                if len(listed) == 1:
                    scores.per_class[f"{dataset}.{protocol}"] = {
                        classes[c]: pair for c, pair in per_class.items()
                    }
            for metric, by_split in values.items():
                key = f"{dataset}.{protocol}.{metric}"
                scores.metrics[key] = round(float(np.mean(list(by_split.values()))), 6)
                if len(listed) > 1:
                    scores.per_split[key] = {k: round(v, 6) for k, v in by_split.items()}
    return scores


@dataclass(frozen=True)
class _Parts:
    """Of one data set: video [N,D], labels [N], ranking [N,K], rows [N] of the index, and the
    cosines [N,K] if any.
    """

    video: Any
    labels: Any
    ranking: Any
    similarity: Any
    rows: Any

    @classmethod
    def of(cls, dataset: str, arrays: Mapping[str, Any]) -> "_Parts":
        video, of_class = arrays[f"{dataset}.video"], arrays[f"{dataset}.class"]
        same_space = video.shape[1] == of_class.shape[1]  # else the method has a score of its own
        similarity = cosine(video, of_class) if same_space else None
        ranking = arrays.get(f"{dataset}.score", similarity)
        labels = arrays[f"{dataset}.label"]
        rows = arrays.get(f"{dataset}.row", np.arange(len(labels)))
        return cls(video, labels, ranking, similarity, rows)

    def only(self, mask: Any) -> "_Parts":
        cut = None if self.similarity is None else self.similarity[mask]
        video, labels, ranking = self.video[mask], self.labels[mask], self.ranking[mask]
        return _Parts(video, labels, ranking, cut, self.rows[mask])

    def right(self, rank: Any) -> Any:
        """Return, for each video of a split in the index's order, if it is right [M]."""
        there = rank != LEFT_OUT
        return (rank[there] == 0)[np.argsort(self.rows[there], kind="stable")]

    @cached_property
    def centres(self) -> Any:
        """Mean embedding of each class [K,D]."""
        return class_means(self.video, self.labels, self.ranking.shape[1])

    @cached_property
    def own(self) -> Any:
        """Mean cosine of each class's videos with the class [K]; None where there are none."""
        if self.similarity is None:
            return None
        own = np.take_along_axis(self.similarity, self.labels[:, None].astype(np.int64), 1)[:, 0]
        return class_means(own, self.labels, self.ranking.shape[1])


Sides = tuple[list[int], list[int]]  # columns of the unseen classes, and of the seen if ranked


def _ranked(
    parts: _Parts,
    splits: Sequence[Mapping[str, Any]],
    place: Mapping[str, int],
    rows: Mapping[str, int] | None,
) -> Iterator[tuple[Mapping[str, Any], _Parts, Sides, Any]]:
    """Yield each split with the part of the data set that it scores, its columns and ranks [N]."""
    sides: list[Sides] = [
        (
            [place[name] for name in one["unseen"]],
            [place[name] for name in (one["seen"] if one.get("held_out") else [])],
        )
        for one in splits
    ]
    columns = [[*unseen, *seen] for unseen, seen in sides]
    table = ranks(parts.ranking, parts.labels, columns)
    for number, one in enumerate(splits):
        part, rank = parts, table[:, number]
        if "videos" in one:
            chosen = [(rows or {})[v] for v in one["videos"] if v in (rows or {})]
            mask = np.isin(parts.rows, chosen)
            part, rank = parts.only(mask), rank[mask]
        yield one, part, sides[number], rank


def _one(
    part: _Parts, rank: Any, columns: Sequence[int], seen: Sequence[int]
) -> tuple[dict[str, float], dict[int, tuple[int, int]]]:
    if seen:
        values, per_class = generalised(rank, part.labels, seen, columns)
    else:
        values, per_class = accuracies(rank, part.labels, columns)
    if part.own is not None:
        values["closeness"] = closeness(part.own, columns)
    values["dispersion"] = dispersion(part.centres, columns)
    return values, per_class
