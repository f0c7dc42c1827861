"""One protocol of a score matrix made elsewhere: its splits' accuracies, or the one split's."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bench.data.splits.test_lists import video_name
from bench.errors import UserError
from bench.evaluation.metrics import accuracies, ranks
from bench.evaluation.predictions import Predictions

METRICS = ("top1", "top5", "class_mean")


def evaluate(given: Predictions, splits: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return accuracies in percent, unrounded, of splits {"name", "unseen": [class, …], …}.

    A split with "videos" is scored on these alone; listed is their number, videos how many are
    there. One split: top1, top5, class_mean, videos, zero_classes, no_videos and per_class {class:
    [videos, right]}. Several: mean and std (population) of the metrics over the splits, and splits
    {name: metrics}. top5 is None where the file names one class a video. Raises UserError for a
    split with classes that the file lacks, or without any video.
    """
    columns = [_columns(given, one) for one in splits]
    ranked = ranks(given.scores, given.labels, columns)
    found: dict[str, dict[str, Any]] = {}
    for number, one in enumerate(splits):
        rows = _rows(given, one)
        try:
            rank, labels = ranked[rows, number], given.labels[rows]
            values, pairs = accuracies(rank, labels, columns[number])
        except ValueError:
            raise UserError(f"the file has no video of a class of split {one['name']}") from None
        per_class = {given.classes[c]: list(pair) for c, pair in sorted(pairs.items())}
        found[str(one["name"])] = {
            **values,
            "top5": None if given.only_names else values["top5"],
            "videos": sum(count for count, _ in per_class.values()),
            "listed": len(one["videos"]) if "videos" in one else None,
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
        "splits": {
            n: {m: one[m] for m in (*METRICS, "videos", "listed")} for n, one in found.items()
        },
    }


def _columns(given: Predictions, split: Mapping[str, Any]) -> list[int]:
    place = {name: i for i, name in enumerate(given.classes)}
    lacking = [name for name in split["unseen"] if name not in place]
    if lacking:
        raise UserError(
            f"the file has no scores for {len(lacking)} of {len(split['unseen'])} classes of "
            f"split {split['name']}: {', '.join(lacking[:5])}{', …' * (len(lacking) > 5)}"
        )
    return [place[name] for name in split["unseen"]]


def _rows(given: Predictions, split: Mapping[str, Any]) -> Any:
    """Return the rows of the videos that a split lists; all where it lists none."""
    if "held_out" in split:
        raise UserError("it holds out videos of the data set's files, which this file cannot name")
    if "videos" not in split:
        return slice(None)
    if not given.videos:
        raise UserError("it scores listed videos alone, and the file does not name its videos")
    listed = set(split["videos"])
    rows: dict[str, int] = {}  # by name, for a video may be there in two spellings
    for i, video in enumerate(given.videos):
        name = video if video in listed else video_name(video)
        if name in rows:
            raise UserError(
                f"{given.place(rows[name])} and {given.place(i)} are the same video "
                f"('{given.videos[rows[name]]}', '{video}'); leave one of them"
            )
        if name in listed:
            rows[name] = i
    if not rows:
        example = f"'{split['videos'][0]}'"
        raise UserError(f"no video of split {split['name']} is in the file, for example {example}")
    return np.array(list(rows.values()))
