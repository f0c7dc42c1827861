"""Score predictions made elsewhere under the protocols of this project."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.config.profile import PROTOCOLS, FiftyFifty
from bench.data import reference
from bench.data.splits import protocols
from bench.errors import UserError, unknown
from bench.evaluation.predictions import Predictions, evaluate, read_predictions
from bench.pipeline.class_splits import find_splits

KNOWN = (*PROTOCOLS, "xu50")  # xu50: fifty-fifty with the published draws
_ONLY_NAMES = (
    "the file has one predicted class per video, chosen among all classes; protocols with fewer "
    "classes need the scores of every class (an .npz with scores, labels and classes)"
)


def score_file(
    file: Path,
    dataset: str,
    wanted: Sequence[str] = (),
    profile: str | None = None,
    lists: Path | None = None,
) -> tuple[Predictions, dict[str, Any], list[str]]:
    """Return the predictions in a file, protocol -> metrics, and notes for the user.

    Without ``wanted`` protocols, all that the file and the data set allow are scored.
    """
    for name in wanted:
        if name not in KNOWN:
            raise unknown("protocol", name, KNOWN)
    classes = _classes(dataset, profile)
    given = read_predictions(file, dataset, classes)
    found: dict[str, Any] = {}
    skipped = []
    for name in wanted or (("full", "official3") if given.only_names else KNOWN):
        try:
            splits = _splits(dataset, name, list(classes), profile, lists)
            if given.only_names and any(set(one["unseen"]) != set(classes) for one in splits):
                raise UserError(_ONLY_NAMES)
            found[name] = evaluate(given, splits)
        except UserError as error:
            if wanted or name == "full":
                hint = "" if wanted else "; choose another with --protocol"
                raise UserError(f"{file}: protocol {name}: {error}{hint}") from None
            skipped.append(f"{name} ({error})")
    notes = [f"skipped: {'; '.join(skipped)}"] if skipped else []
    if given.only_names and not wanted:
        notes.append(f"other protocols are skipped: {_ONLY_NAMES}")
    expected = reference.published_videos(dataset) or None
    if expected not in (None, len(given.labels)):
        notes.append(f"{len(given.labels)} videos, but {dataset} was released with {expected}")
    if given.disagrees:
        notes.append(f"the last top-1 in the log is {given.printed}, but its lines give another")
    return given, found, notes


def _classes(dataset: str, profile: str | None) -> dict[str, list[str]]:
    """Return class -> words ([] if unknown), of a public data set or of a profile's."""
    try:
        return reference.classes(dataset)
    except UserError:
        file, _ = find_splits(dataset, "full", profile)
        return {name: [] for name in file.splits[0]["unseen"]}


def _splits(
    dataset: str, protocol: str, classes: list[str], profile: str | None, lists: Path | None
) -> list[dict[str, Any]]:
    if protocol in ("full", "half10"):  # need only the list of classes
        draw = protocols.full if protocol == "full" else protocols.half10
        return [dict(one) for one in draw(classes, [])]
    draws = FiftyFifty(published="xu50") if protocol == "xu50" else None
    name = "fifty-fifty" if draws else protocol
    lists = lists if protocol == "official3" else None
    found, _ = find_splits(dataset, name, profile, draws, lists)
    return [dict(one) for one in found.splits]
