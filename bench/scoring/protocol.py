"""One protocol of a score matrix made elsewhere: its splits' accuracies, or the one split's."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bench.errors import UserError
from bench.scoring.metrics import accuracies
from bench.scoring.predictions import Predictions

METRICS = ("top1", "top5", "class_mean")


def evaluate(given: Predictions, splits: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return accuracies in percent, unrounded, of splits {"name", "unseen": [class, …], …}.

    One split: top1, top5, class_mean, videos, zero_classes, no_videos and per_class {class:
    [videos, right]}. Several: mean and std (population) of the metrics over the splits, and splits
    {name: metrics}. top5 is None where the file names one class a video. Raises UserError for a
    split with classes that the file lacks, or without any video.
    """
    place = {name: i for i, name in enumerate(given.classes)}
    found: dict[str, dict[str, Any]] = {}
    for one in splits:
        lacking = [name for name in one["unseen"] if name not in place]
        if lacking:
            raise UserError(
                f"the file has no scores for {len(lacking)} of {len(one['unseen'])} classes of "
                f"split {one['name']}: {', '.join(lacking[:5])}{', …' * (len(lacking) > 5)}"
            )
        try:
            values, pairs = accuracies(
                given.scores, given.labels, [place[name] for name in one["unseen"]]
            )
        except ValueError:
            raise UserError(f"the file has no video of a class of split {one['name']}") from None
        per_class = {given.classes[c]: list(pair) for c, pair in sorted(pairs.items())}
        found[str(one["name"])] = {
            **values,
            "top5": None if given.only_names else values["top5"],
            "videos": sum(count for count, _ in per_class.values()),
            "zero_classes": [c for c, (count, right) in per_class.items() if count and not right],
            "no_videos": [c for c, (count, _) in per_class.items() if not count],
            "per_class": per_class,
        }
    if len(found) == 1:
        return found.popitem()[1]
    table = {m: [one[m] for one in found.values() if one[m] is not None] for m in METRICS}
    return {
        "mean": {m: float(np.mean(v)) if v else None for m, v in table.items()},
        "std": {m: float(np.std(v)) if v else None for m, v in table.items()},
        "splits": {n: {m: one[m] for m in (*METRICS, "videos")} for n, one in found.items()},
    }
