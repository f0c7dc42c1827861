"""The stored audit, and the flags that it gives to a row."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import ConfigDict

from bench.config.paths import Layout
from bench.config.profile import Config
from bench.data.formats.json_file import Entry, JsonFile
from bench.errors import unknown
from bench.experiments.method_registry import MethodFile, scan
from bench.experiments.plan import TRANSFER, PlannedCell, plan
from bench.experiments.record import Record, read_records
from bench.utils.io import digest, known_digest, read_json

SEEN, UNKNOWN, CHOSEN = "†", "‡", "§"
ON_TEST = "the checkpoint was chosen on test data"
_OF_OTHERS = "checkpoint trained elsewhere: the classes that it has seen are not known"
SHOWN = 5
_TRAINED = ("features", "objects", "boxes", "clip")  # inputs made by trained networks


class _Compared(Entry):
    model_config = ConfigDict(extra="allow")

    tested: int
    seen: list[dict[str, Any]]


class _Source(Entry):
    model_config = ConfigDict(extra="allow")

    what: str
    unknown: str
    tests: dict[str, _Compared]


class _AuditFile(JsonFile):
    """``results/audit/<profile>.json``, as ``bench.evaluation.leakage.measure`` makes it."""

    model_config = ConfigDict(extra="allow")

    stage: ClassVar[str] = "audit"

    of: str
    tau: float
    tested: dict[str, int]
    sources: dict[str, _Source]


def audit_digest(config: Config, layout: Layout) -> str:
    """Return the digest of an audit's inputs: split files, the profile's sources, class lists."""
    profile = config.profile
    files = sorted(layout.splits.glob("*.json"))
    stored = {file.name: read_json(file) for file in files}
    splits = {k: v.get("digest") if isinstance(v, dict) else None for k, v in stored.items()}
    said = {"tau", "train_on", "pretrain_on", "pretrained", "inputs"}
    weights = str(profile.network.weights)
    parts = [splits, profile.model_dump(mode="json", include=said), weights]
    named = {one for names in profile.pretrained.values() for one in names if one.endswith(".txt")}
    lists = {one: known_digest(layout.root / one) for one in sorted(named)}
    return digest([*parts, lists] if lists else parts)


def stored_audit(config: Config, layout: Layout) -> dict[str, Any] | None:
    """Return the stored audit; None if it is missing or was made from other splits or sources."""
    found = _AuditFile.read(layout.audit)
    return found.content() if found and found.of == audit_digest(config, layout) else None


@dataclass(frozen=True, order=True)
class Flag:
    """A mark on a row, and what it means in words."""

    mark: str
    text: str


def touched(
    cells: Iterable[PlannedCell | Record], file: MethodFile | None, audit: Mapping[str, Any]
) -> list[str]:
    """Return the sources that a row's training and inputs use, in the audit's order."""
    sources: Mapping[str, Any] = audit.get("sources", {})
    keys = set()
    for one in cells:
        given = one.inputs if isinstance(one, PlannedCell) else one.parameters.get("inputs", {})
        needs, wants = file.uses(one.reading) if file else (("video",), ())
        keys |= set(given or (*needs, *wants))  # before the inputs stage, those it asks for
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
        of_input = not key.startswith("training")
        kind = f"pre-training ({key}: {source['what']})" if of_input else "training"
        if source["unknown"]:
            found.add(Flag(UNKNOWN, f"cannot be excluded that test classes were seen in {kind}"))
        for dataset, compared in source["tests"].items():
            if compared["seen"]:
                text = f"{len(compared['seen'])} of {compared['tested']} test classes of {dataset}"
                found.add(Flag(SEEN, f"{text} seen in {kind}: {listed(compared)}"))
        for dataset, videos in source.get("videos", {}).items():
            if videos["shared"]:
                found.add(Flag(SEEN, f"{videos['shared']} videos of {dataset} seen in {kind}"))
    if any("checkpoint" in one.reading for one in cells):
        found.add(Flag(UNKNOWN, _OF_OTHERS))
    if any(record.checkpoint == "best_on_test" for record in records):
        found.add(Flag(CHOSEN, ON_TEST))
    return tuple(sorted(found))


def listed(compared: Mapping[str, Any]) -> str:
    """List the first test classes that were seen, each with the reason."""
    texts = []
    for one in compared["seen"][:SHOWN]:
        near = one["by"] == "distance"
        how = f"{one['distance']:.3f} from {one['source']}" if near else f"the same {one['by']}"
        texts.append(f"{one['name']} ({how})")
    more = len(compared["seen"]) - SHOWN
    return ", ".join(texts) + (f" and {more} more" if more > 0 else "")


def audit_rows(
    config: Config, layout: Layout, audit: Mapping[str, Any], method: str | None = None
) -> list[dict[str, Any]]:
    """Return what the audit says of each planned or recorded row, or of one method or row."""
    files, records = scan(layout.root), read_records(layout.records)
    by_row: dict[str, list[PlannedCell | Record]] = defaultdict(list)
    splits = (layout.splits / f"{n}.{p}.json" for n, p in config.profile.per_split())
    planned = plan(config, layout, readings=True) if all(p.is_file() for p in splits) else []
    for cell in planned:
        by_row[cell.row].append(cell)
    planned_rows = set(by_row)
    for record in records:
        if record.row not in planned_rows:
            by_row[record.row].append(record)
    methods = {row: cells[0].method for row, cells in by_row.items()}
    if method is not None and method not in methods and method not in methods.values():
        raise unknown("method", method, methods.values())
    found = []
    for row, cells in by_row.items():
        if method not in (None, row, methods[row]):
            continue
        file = files.get(methods[row])
        needs = file.uses(cells[0].reading)[0] if file else ()
        done = [one for one in records if one.row == row and one.status == "ok"]
        found.append(
            {
                "row": row,
                "method": methods[row],
                "sources": touched(cells, file, audit),
                "not_described": [n for n in needs if n in _TRAINED and n not in audit["sources"]],
                "flags": [flag.text for flag in flags(cells, done, file, audit)],
                "checkpoints": sorted({one.checkpoint for one in done}),
                "also_best_on_test": any(one.metrics_best_on_test for one in done),
                "missing": next(filter(None, (getattr(c, "missing", "") for c in cells)), ""),
            }
        )
    return found
