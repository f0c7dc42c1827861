"""The stored audit, and the flags that it gives a row."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.config.paths import Layout
from bench.config.profile import Config
from bench.experiments.method_registry import MethodFile
from bench.experiments.plan import TRANSFER, PlannedCell
from bench.experiments.record import Record
from bench.utils.io import digest, file_digest, read_json

_SOURCE = {"what": str, "unknown": str, "tests": {str: {"seen": [dict], "tested": int}}}


def audit_digest(config: Config, layout: Layout) -> str:
    """Return what an audit is of: the profile's split files, and what it says of its sources.

    Of class lists in files, their bytes; one that is not here cannot be the one that was read.
    """
    profile = config.profile
    files = sorted(layout.splits.glob("*.json"))
    stored = {file.name: read_json(file) for file in files}
    splits = {k: v.get("digest") if isinstance(v, dict) else None for k, v in stored.items()}
    said = {"tau", "train_on", "pretrain_on", "pretrained", "inputs"}
    weights = str(profile.network.weights)
    parts = [splits, profile.model_dump(mode="json", include=said), weights]
    named = {one for names in profile.pretrained.values() for one in names if one.endswith(".txt")}
    lists = {one: _bytes(layout.root / one) for one in sorted(named)}
    return digest([*parts, lists] if lists else parts)


def _bytes(path: Path) -> str:
    try:
        return file_digest(path)
    except OSError:
        return ""


def stored_audit(config: Config, layout: Layout) -> dict[str, Any] | None:
    """Return the stage's file, None if there is none or it is of other splits or sources.

    A damaged one is a UserError.
    """
    found: dict[str, Any] | None = read_json(
        layout.audit, "of", sources={str: _SOURCE}, tested={str: int}, tau=float
    )
    return found if found and found["of"] == audit_digest(config, layout) else None


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
