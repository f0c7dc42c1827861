"""What of the audit concerns a row: which sources it touches, and the flags it carries."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.experiments.method_registry import MethodFile
from bench.experiments.plan import TRANSFER, PlannedCell
from bench.experiments.record import Record

SEEN, UNKNOWN, CHOSEN = "†", "‡", "§"
ON_TEST = "the checkpoint was chosen on test data"
_OF_OTHERS = "checkpoint trained elsewhere: which classes it has seen is not known here"
SHOWN = 5


@dataclass(frozen=True, order=True)
class Flag:
    """A mark on a row, and what it means in words."""

    mark: str
    text: str


def touched(
    cells: Iterable[PlannedCell | Record], file: MethodFile | None, audit: Mapping[str, Any]
) -> list[str]:
    """Return the sources that a row's training and inputs touch, in the audit's order."""
    sources: Mapping[str, Any] = audit.get("sources", {})
    keys = set()
    for one in cells:
        given = one.inputs if isinstance(one, PlannedCell) else one.parameters.get("inputs", {})
        needs, wants = file.uses(one.reading) if file else (("video",), ())
        keys |= set(given or (*needs, *wants))  # before the stage inputs, what it asks for
        if {"video", "clips"} & set(needs) and sources.get("features", {}).get("of_videos"):
            keys.add("features")
        if "checkpoint" in one.reading or (file and file.learning == "none"):
            continue
        scope = ".".join(one.split.split(".")[:2])
        keys.add("training" if one.split == TRANSFER else f"training {scope}")
    return [key for key in sources if key in keys]


def flags(
    cells: Sequence[PlannedCell | Record],
    records: Iterable[Record],
    file: MethodFile | None,
    audit: Mapping[str, Any],
) -> tuple[Flag, ...]:
    """Return a row's flags: test classes seen, sources unknown, checkpoint chosen on test data."""
    found = set()
    for key in touched(cells, file, audit):
        source = audit["sources"][key]
        kind = (
            "training" if key.startswith("training") else f"pre-training ({key}: {source['what']})"
        )
        if source["unknown"]:
            text = f"cannot be excluded that test classes were seen in {kind}"
            found.add(Flag(UNKNOWN, text))
        for dataset, compared in source["tests"].items():
            if compared["seen"]:
                count = f"{len(compared['seen'])} of {compared['tested']}"
                text = f"{count} test classes of {dataset} seen in {kind}: {listed(compared)}"
                found.add(Flag(SEEN, text))
        for dataset, videos in source.get("videos", {}).items():
            if videos["shared"]:
                text = f"{videos['shared']} videos of {dataset} seen in {kind}"
                found.add(Flag(SEEN, text))
    if any("checkpoint" in one.reading for one in cells):
        found.add(Flag(UNKNOWN, _OF_OTHERS))
    if any(record.checkpoint == "best_on_test" for record in records):
        found.add(Flag(CHOSEN, ON_TEST))
    return tuple(sorted(found))


def listed(compared: Mapping[str, Any]) -> str:
    """Name the first test classes that were seen, each with what it was seen by."""
    texts = [f"{one['name']} ({_how(one)})" for one in compared["seen"][:SHOWN]]
    more = len(compared["seen"]) - SHOWN
    return ", ".join(texts) + (f" and {more} more" if more > 0 else "")


def _how(one: Mapping[str, Any]) -> str:
    if one["by"] == "distance":
        return f"{one['distance']:.3f} from {one['source']}"
    return f"the same {one['by']}"
