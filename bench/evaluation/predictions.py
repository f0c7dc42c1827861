"""Predictions made elsewhere, as names, scores or a released log: read them and score them."""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.data.reference.class_names import finder, key
from bench.data.splits.official_lists import video_name
from bench.errors import UserError
from bench.evaluation.metrics import Labels, accuracies, ranks
from bench.models.similarity import Floats
from bench.utils.io import DAMAGED, read_arrays, read_table

# "UCF Top-1 acc: 44.39 pred: X label: Y": one video a line, with the running accuracy so far.
_LOG = re.compile(
    r"\b(?P<tag>[a-z][a-z0-9]*(?:[ _-]?\d+)?)[^\w\n]+top[ _-]*1\b[^\d\n]*(?P<top1>\d+(?:\.\d+)?)"
    r"[^\n]*?\bpred\w*[ \t]*[:=](?P<predicted>[^\n]+?)[ \t,;|]*"
    r"\blabel\w*[ \t]*[:=](?P<label>[^\n]+)",
    re.IGNORECASE,
)
_FORMS = (
    "expected a .csv, .tsv or .parquet with columns predicted and label, an .npz with scores, "
    "labels and classes, or a log of lines like 'UCF Top-1 acc: 44.39 pred: X label: Y'"
)


@dataclass(frozen=True)
class Predictions:
    """N videos: ``scores`` [N,K], higher is better, and ``labels`` [N], indices into ``classes``.

    ``classes`` are those of the file, in the data set's order. If the file names one class per
    video (``only_names``), that class has score 1 and all others 0: only the first rank is
    meaningful. ``videos`` [N] and ``lines`` [N] of a text file may be empty; ``printed`` is the
    last accuracy of a log.
    """

    classes: list[str]
    labels: Labels
    scores: Floats
    only_names: bool
    videos: Sequence[str] = ()
    printed: str = ""
    lines: Sequence[int] = ()

    def place(self, row: int) -> str:
        """Return the place of a video in its file."""
        return f"line {self.lines[row]}" if self.lines else f"row {row}"

    @property
    def disagrees(self) -> bool:
        """Tell whether a log's last running top-1 differs from ours in the digits it prints."""
        digits = len(self.printed.partition(".")[2])
        top1 = 100 * float((self.scores.argmax(1) == self.labels).mean())
        return bool(self.printed) and abs(top1 - float(self.printed)) > 0.5001 * 10**-digits


def read_predictions(file: Path, dataset: str, classes: Mapping[str, Sequence[str]]) -> Predictions:
    """Read predictions for a data set, whose ``classes`` map name to words (or to none).

    The format is detected from the content. Class names match regardless of case, spaces and
    underscores, or by their words. UserError for a file that is missing, damaged or of another
    format, an unknown or empty name, a duplicate video, or a score that is not finite.
    """
    try:
        content = file.read_bytes()  # once, for it may be a pipe
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}; {_FORMS}") from None
    if content.startswith(b"PK\x03\x04"):
        return _matrix(file, content, classes)
    printed, at = "", list[int]()
    if content.startswith(b"PAR1"):
        columns = _parquet(file, content)
    else:
        try:
            text = io.TextIOWrapper(io.BytesIO(content), "utf-8-sig").read()
        except UnicodeDecodeError:
            raise UserError(f"{file}: not text, .npz or .parquet; {_FORMS}") from None
        lines = list(_LOG.finditer(text))
        if lines:
            columns, printed = _log(file, lines, dataset)
        else:
            columns, at = _csv(file, text)
    names = list(classes)
    find = _columns(file, classes, names)
    labels = find(columns["label"], "label")
    predicted = find(columns["predicted"], "predicted")
    videos = columns.get("video", [])
    _once(file, videos)
    scores = np.zeros((len(labels), len(names)), np.float32)
    scores[np.arange(len(labels)), predicted] = 1
    return Predictions(names, labels, scores, True, videos, printed, at)


def _log(
    file: Path, lines: Sequence[re.Match[str]], dataset: str
) -> tuple[dict[str, list[str]], str]:
    own = [line for line in lines if key(dataset).startswith(key(line["tag"]))]
    if not own:
        tags = ", ".join(sorted({line["tag"] for line in lines}))
        raise UserError(f"{file}: a log of {tags}, without a line of {dataset}; give its --dataset")
    columns = {what: [line[what] for line in own] for what in ("predicted", "label")}
    return columns, str(own[-1]["top1"])


def _csv(file: Path, text: str) -> tuple[dict[str, list[str]], list[int]]:
    body = text.lstrip("\n ")  # not tabs: pandas' index has no name in the header
    head = body.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(body), delimiter=max("\t;,", key=head.count))
    above = text.count("\n", 0, len(text) - len(body))
    lines = [above]
    try:
        names = [name.strip().casefold() for name in reader.fieldnames or ()]
        reader.fieldnames = names
        _has(file, names, "column")
        columns: dict[str, list[str]] = {name: [] for name in names}
        lines = [above + reader.line_num]
        for row in reader:
            if None in row or None in row.values():
                raise UserError(
                    f"{file}:{above + reader.line_num} has {'more' if None in row else 'fewer'} "
                    "fields than the header; put names with the delimiter in quotes"
                )
            lines.append(above + reader.line_num)
            for name, value in row.items():
                columns[name].append(value)
    except csv.Error as error:
        start = lines[-1] + 1
        raise UserError(f"{file}:{start}: {error}; look for a quote that nothing closes") from None
    return columns, lines[1:]


def _parquet(file: Path, content: bytes) -> dict[str, list[str]]:
    try:
        table = read_table(io.BytesIO(content))
        table.columns = [str(name).strip().casefold() for name in table]
        _has(file, table.columns.tolist(), "column")
        wanted = [name for name in ("video", "predicted", "label") if name in table]
        return {name: list(table[name].astype("string").fillna("")) for name in wanted}
    except DAMAGED as error:
        raise UserError(f"{file}: damaged ({error})") from None


def _matrix(file: Path, content: bytes, classes: Mapping[str, Sequence[str]]) -> Predictions:
    try:
        needed = ("scores", "labels", "classes")
        stored = read_arrays(io.BytesIO(content), optional=(*needed, "videos"))
        _has(file, list(stored), "array", needed)
        arrays = {name: _text(array) for name, array in stored.items()}
    except DAMAGED as error:
        raise UserError(f"{file}: cannot be read as .npz ({error})") from None
    scores, labels, given = arrays["scores"], arrays["labels"], arrays["classes"]
    if scores.shape != (labels.size, given.size) or scores.dtype.kind not in "fiu":
        raise UserError(
            f"{file}: scores are {scores.dtype} {list(scores.shape)}, not numbers "
            f"[{labels.size} labels, {given.size} classes]"
        )
    known = list(classes)
    columns = _columns(file, classes, known)(given.ravel().tolist(), "classes")
    names = [known[i] for i in columns]
    _once(file, names, "class")
    videos = list(map(str, arrays["videos"].ravel())) if "videos" in arrays else []
    _once(file, videos)
    if videos and len(videos) != labels.size:
        raise UserError(f"{file}: {len(videos)} videos for {labels.size} labels")
    broken = np.flatnonzero(~np.isfinite(scores).all(1))
    if len(broken):
        raise UserError(f"{file}: scores of row {broken[0]} are not finite ({len(broken)} rows)")
    if labels.dtype.kind in "iu":
        labels = labels.ravel().astype(np.int64)
        wrong = np.flatnonzero((labels < 0) | (labels >= len(names)))
        if len(wrong):
            raise UserError(
                f"{file}: label {labels[wrong[0]]} of row {wrong[0]} is not 0 to {len(names) - 1}"
            )
    elif labels.dtype.kind == "U":
        labels = _columns(file, classes, names)(labels.ravel().tolist(), "labels")
    else:
        raise UserError(f"{file}: labels are {labels.dtype}, not integers or names")
    if not len(labels):
        raise UserError(f"{file}: no videos in it")
    order = np.argsort(columns)  # so that neither ties nor sums depend on the file's own order
    names, labels = [names[i] for i in order], order.argsort()[labels]
    return Predictions(names, labels, scores[:, order], False, videos)


def _text(array: Any) -> Any:
    return np.char.decode(array, "utf-8") if array.dtype.kind == "S" else array


def _has(
    file: Path, there: Sequence[str], what: str, needed: Sequence[str] = ("predicted", "label")
) -> None:
    lacking = [name for name in needed if name not in there]
    if lacking:
        shown = ", ".join(there)[:100] or "nothing"
        raise UserError(f"{file}: no {what} '{lacking[0]}' (there is {shown}); {_FORMS}")
    for name in ("video", *needed):
        if there.count(name) > 1:
            raise UserError(f"{file}: {there.count(name)} columns '{name}'; remove one of them")


def _once(file: Path, names: Sequence[str], what: str = "video") -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise UserError(f"{file}: {what} '{name}' appears twice")


def _columns(
    file: Path, classes: Mapping[str, Sequence[str]], columns: Sequence[str]
) -> Callable[[Sequence[Any], str], Labels]:
    """Return a function from names to indices in ``columns``; its ``what`` names the field."""
    by_words = {" ".join(words): name for name, words in classes.items() if words}
    find = finder("class", [*by_words, *classes])  # of two alike the name counts, not the words
    place = {name: i for i, name in enumerate(columns)}

    def places(names: Sequence[Any], what: str) -> Labels:
        if not len(names):
            raise UserError(f"{file}: no videos in it")
        known: dict[Any, int] = {}
        for row, name in enumerate(names, 1):
            if name in known:
                continue
            where = f"{file}: {what} {row}"
            if not key(str(name)):
                raise UserError(f"{where} is empty")
            try:
                found = find(str(name))
            except UserError as error:
                raise UserError(f"{where}: {error}") from None
            found = found if found in classes else by_words[found]
            if found not in place:
                raise UserError(f"{where}: class '{found}' is not among the file's classes")
            known[name] = place[found]
        return np.array([known[name] for name in names], np.int64)

    return places


METRICS = ("top1", "top5", "class_mean")


def evaluate(given: Predictions, splits: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return accuracies in percent, unrounded, of splits {"name", "unseen": [class, …], …}.

    A split with "videos" is scored on these only: ``listed`` is their number, ``videos`` how many
    are in the file. One split: top1, top5, class_mean, videos, zero_classes, no_videos and
    per_class {class: [videos, right]}. Several: mean and std (population) of the metrics over the
    splits, and splits {name: metrics}. top5 is None if the file names one class per video.
    UserError for a split with classes that are not in the file, or without any video.
    """
    columns = [_split_columns(given, one) for one in splits]
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


def _split_columns(given: Predictions, split: Mapping[str, Any]) -> list[int]:
    place = {name: i for i, name in enumerate(given.classes)}
    lacking = [name for name in split["unseen"] if name not in place]
    if lacking:
        raise UserError(
            f"the file has no scores for {len(lacking)} of {len(split['unseen'])} classes of "
            f"split {split['name']}: {', '.join(lacking[:5])}{', …' * (len(lacking) > 5)}"
        )
    return [place[name] for name in split["unseen"]]


def _rows(given: Predictions, split: Mapping[str, Any]) -> Any:
    """Return the rows of the videos that a split lists; all rows if it lists none."""
    if "held_out" in split:
        raise UserError(
            "the protocol holds out videos of seen classes, which a file of predictions cannot name"
        )
    if "videos" not in split:
        return slice(None)
    if not given.videos:
        raise UserError(
            "the protocol scores listed videos only, and the file does not name its videos"
        )
    listed = set(split["videos"])
    rows: dict[str, int] = {}  # by name: the file may have a video in two spellings
    for i, video in enumerate(given.videos):
        name = video if video in listed else video_name(video)
        if name in rows:
            raise UserError(
                f"{given.place(rows[name])} and {given.place(i)} are the same video "
                f"('{given.videos[rows[name]]}', '{video}'); remove one of them"
            )
        if name in listed:
            rows[name] = i
    if not rows:
        example = f"'{split['videos'][0]}'"
        raise UserError(f"no video of split {split['name']} is in the file, for example {example}")
    return np.array(list(rows.values()))
