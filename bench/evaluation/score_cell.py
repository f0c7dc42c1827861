"""Metrics of one cell from its embeddings and splits, and the mean training curve of a row."""

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bench.evaluation.metrics import (
    LEFT_OUT,
    Cosines,
    accuracies,
    class_means,
    closeness,
    dispersion,
    generalised,
    ranks_and_own,
)
from bench.utils.bitstrings import pack


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
    splits. A split with "videos" is scored on these only: ``rows`` maps their names to rows of the
    data set's index, ".row" holds those of the embeddings. A split with "held_out" is scored over
    its seen and unseen classes (``metrics.generalised``), its scatter over the unseen ones. The
    data set "seen" is scored over all its classes. Similarities are computed once per data set.
    ValueError for a split with a class that was not embedded.
    """
    scores = Scores()
    for dataset, classes in names.items():
        place = {name: i for i, name in enumerate(classes)}
        everything = [{"name": "full", "unseen": list(classes)}]
        wanted = {p: s for (d, p), s in splits.items() if d == dataset} or {"full": everything}
        pairs = [(protocol, one) for protocol, listed in wanted.items() for one in listed]
        sides: list[tuple[list[int], list[int]]] = []  # columns of the unseen and ranked seen
        for protocol, one in pairs:
            seen = one["seen"] if "held_out" in one else ()
            try:
                sides.append(([place[n] for n in one["unseen"]], [place[n] for n in seen]))
            except KeyError:
                reason = f"{dataset} {protocol} {one['name']}: class not embedded"
                raise ValueError(reason) from None
        whole, table = _Parts.ranked(dataset, arrays, [[*unseen, *seen] for unseen, seen in sides])
        values: dict[str, dict[str, float]] = {}
        for (protocol, one), columns, rank in zip(pairs, sides, table.T, strict=True):
            scope, split, part = f"{dataset}.{protocol}", str(one["name"]), whole
            if "videos" in one:
                known = (rows or {}).get(dataset, {})
                mask = np.isin(whole.rows, [known[v] for v in one["videos"] if v in known])
                part, rank = whole.only(mask), rank[mask]
            found, per_class = part.metrics(rank, *columns)
            for metric, value in found.items():
                values.setdefault(f"{scope}.{metric}", {})[split] = value
            if dataset != "seen":
                bits = part.right(rank)
                scores.videos.setdefault(scope, {})[split] = len(bits)
                scores.right.setdefault(scope, {})[split] = pack(bits)
            if len(wanted[protocol]) == 1:
                scores.per_class[scope] = {classes[c]: pair for c, pair in per_class.items()}
        for key, by_split in values.items():
            scores.metrics[key] = round(float(np.mean(list(by_split.values()))), 6)
            if len(by_split) > 1:
                scores.per_split[key] = {k: round(v, 6) for k, v in by_split.items()}
    return scores


@dataclass(frozen=True)
class _Parts:
    """Arrays of one data set of K classes: video [N,D], labels [N], rows [N] of the index, and the
    cosine [N] of each video with its own class, if videos and classes share a space.
    """

    classes: int
    video: Any
    labels: Any
    rows: Any
    cosines: Any

    @classmethod
    def ranked(
        cls, dataset: str, arrays: Mapping[str, Any], columns: Sequence[Sequence[int]]
    ) -> tuple["_Parts", Any]:
        """Return them, and the ranks [N,S] of all splits."""
        video, of_class = arrays[f"{dataset}.video"], arrays[f"{dataset}.class"]
        labels = arrays[f"{dataset}.label"]
        rows = arrays.get(f"{dataset}.row", np.arange(len(labels)))
        given, cosines = arrays.get(f"{dataset}.score"), Cosines(video, of_class)
        own: Any
        table, own = ranks_and_own(cosines if given is None else given, labels, columns)
        if given is not None:  # scores need not be cosines, nor videos and classes share a space
            one_space = video.shape[1] == of_class.shape[1]
            own = ranks_and_own(cosines, labels, [])[1] if one_space else None
        return cls(len(of_class), video, labels, rows, own), table

    def only(self, mask: Any) -> "_Parts":
        cut = None if self.cosines is None else self.cosines[mask]
        return _Parts(self.classes, self.video[mask], self.labels[mask], self.rows[mask], cut)

    def right(self, rank: Any) -> Any:
        """Return whether each video of a split, in the index's order, is right [M]."""
        there = rank != LEFT_OUT
        return (rank[there] == 0)[np.argsort(self.rows[there], kind="stable")]

    @cached_property
    def centres(self) -> Any:
        """Mean embedding of each class [K,D]."""
        return class_means(self.video, self.labels, self.classes)

    @cached_property
    def own(self) -> Any:
        """Mean cosine of each class's videos with the class [K]; None without cosines."""
        if self.cosines is None:
            return None
        return class_means(self.cosines, self.labels, self.classes)

    def metrics(
        self, rank: Any, columns: Sequence[int], seen: Sequence[int]
    ) -> tuple[dict[str, float], dict[int, tuple[int, int]]]:
        """Return the metrics of one split, and per class (videos, right)."""
        if seen:
            values, per_class = generalised(rank, self.labels, seen, columns)
        else:
            values, per_class = accuracies(rank, self.labels, columns)
        if self.own is not None:
            values["closeness"] = closeness(self.own, columns)
        values["dispersion"] = dispersion(self.centres, columns)
        return values, per_class


def mean_curve(logs: Iterable[Path]) -> str:
    """Return a CSV: step, cells, then every logged value, mean over the cells that logged it.

    Return "" if no cell has a log (methods not trained by steps). ValueError for a damaged log.
    """
    values: dict[int, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    names: dict[str, None] = {}
    for path in logs:
        if not path.is_file():
            continue
        with path.open(encoding="utf-8", newline="") as file:
            for line in csv.DictReader(file):
                for name, value in line.items():
                    if name != "step":
                        values[int(line["step"])][name].append(float(value))
                        names[name] = None
    if not values:
        return ""
    lines = [",".join(["step", "cells", *names])]
    for step, found in sorted(values.items()):
        means = (f"{sum(v) / len(v):.6g}" if (v := found.get(name)) else "" for name in names)
        lines.append(",".join([str(step), str(max(map(len, found.values()))), *means]))
    return "\n".join(lines) + "\n"
