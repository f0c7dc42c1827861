"""From one cell's embeddings and the split files to its metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bench.scoring.metrics import accuracies, closeness, cosine, dispersion


@dataclass
class Scores:
    """Metrics as a record carries them; keys are "<data set>.<protocol>.<metric>"."""

    metrics: dict[str, float] = field(default_factory=dict)
    per_split: dict[str, dict[str, float]] = field(default_factory=dict)
    per_class: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)


def score(
    arrays: Mapping[str, Any],
    names: Mapping[str, Sequence[str]],
    splits: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]],
) -> Scores:
    """Score embeddings ("<data set>.video", ".class", ".label", optionally ".score") per protocol.

    ``names`` are each data set's embedded classes, ``splits`` maps (data set, protocol) to its
    splits. The data set "seen" is scored over all its classes. The similarity matrix is computed
    once a data set. A split with a class that was not embedded is a ValueError.
    """
    scores = Scores()
    for dataset, classes in names.items():
        place = {name: i for i, name in enumerate(classes)}
        everything = [{"name": "full", "unseen": list(classes)}]
        wanted = {p: s for (d, p), s in splits.items() if d == dataset}
        video, of_class = arrays[f"{dataset}.video"], arrays[f"{dataset}.class"]
        same_space = video.shape[1] == of_class.shape[1]  # else the method has a score of its own
        similarity = cosine(video, of_class) if same_space else None
        ranking = arrays.get(f"{dataset}.score", similarity)
        for protocol, listed in (wanted or {"full": everything}).items():
            values: dict[str, dict[str, float]] = {}
            for one in listed:
                columns = [place[name] for name in one["unseen"] if name in place]
                if len(columns) != len(one["unseen"]):
                    raise ValueError(f"{dataset} {protocol} {one['name']}: class not embedded")
                found, per_class = _one(dataset, arrays, similarity, ranking, columns)
                for metric, value in found.items():
                    values.setdefault(metric, {})[str(one["name"])] = value
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


def _one(
    dataset: str, arrays: Mapping[str, Any], similarity: Any, ranking: Any, columns: Sequence[int]
) -> tuple[dict[str, float], dict[int, tuple[int, int]]]:
    video, labels = arrays[f"{dataset}.video"], arrays[f"{dataset}.label"]
    values, per_class = accuracies(ranking, labels, columns)
    if similarity is not None:
        values["closeness"] = closeness(similarity, labels, columns)
    values["dispersion"] = dispersion(video, labels, columns)
    return values, per_class
