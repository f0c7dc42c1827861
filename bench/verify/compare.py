"""Is a repeated cell the recorded one: identical, within tolerance, or different?"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from bench.records import Record

Word = Literal["identical", "within tolerance", "different", "not verified"]
DISTANCES = ("closeness", "dispersion")
SHOWN = 5  # metrics that a verdict names


@dataclass(frozen=True)
class Verdict:
    """What came of one cell; ``details`` are lines for a reader."""

    cell: str
    word: Word
    details: list[str]

    @property
    def stands(self) -> bool:
        """Whether the record may be trusted."""
        return self.word in ("identical", "within tolerance")


def compare(record: Record, again: Record, points: float) -> Verdict:
    """Compare a record with its repeat.

    Identical: every metric, every class, every video, every embedding, to the last bit. Within
    tolerance: accuracies to ``points``, distances to a hundredth of it; this is granted only where
    the machine or a library is another one. Else different.
    """
    machine = _changed(record.environment, again.environment)
    details = [f"another machine or version: {', '.join(machine)}"] if machine else []
    otherwise = list(_otherwise(record, again))
    if otherwise:
        details.append(f"not made as recorded: {', '.join(otherwise)} differ")
    gaps = dict(_gaps(record, again, points))
    embedded = _changed(record.embeddings, again.embeddings)
    finer = [
        name
        for name in ("per_split", "per_class", "videos", "right")
        if _differs(record, again, name)
    ]
    if not (gaps or embedded or finer or otherwise):
        bits = (
            f"{len(record.embeddings)} sets of embeddings, to the last bit"
            if record.embeddings
            else "no embeddings: the record is of version 1, which has no hash of them"
        )
        return Verdict(
            record.cell, "identical", [*details, f"{len(record.metrics)} metrics, {bits}"]
        )
    largest = sorted(gaps, key=lambda name: -gaps[name][0])
    details += [gaps[name][1] for name in largest[:SHOWN]]
    if len(gaps) > SHOWN:
        details.append(f"and {len(gaps) - SHOWN} more metrics")
    if not gaps:
        what = [*finer, *(f"embeddings of {name.split()[0]}" for name in embedded)]
        details.append(f"the metrics agree, {', '.join(what) or 'its making'} differs")
    if machine and not otherwise and all(size <= 1 for size, _ in gaps.values()):
        bounds = f"tolerance {points:g} points, {points / 100:g} of a distance"
        return Verdict(record.cell, "within tolerance", [*details, bounds])
    return Verdict(record.cell, "different", details)


def _gaps(record: Record, again: Record, points: float) -> Iterator[tuple[str, tuple[float, str]]]:
    """Yield metrics that differ: name, (size in tolerances, a line)."""
    for name in dict.fromkeys([*record.metrics, *again.metrics]):
        old, new = record.metrics.get(name), again.metrics.get(name)
        if old is None or new is None:
            side = "measured now, not recorded" if old is None else "recorded, not measured now"
            yield name, (float("inf"), f"{name}: {side}")
        elif old != new:
            allowed = points / 100 if name.rpartition(".")[2] in DISTANCES else points
            size = abs(new - old) / allowed if allowed else float("inf")
            yield name, (size, f"{name}: {new:g}, recorded {old:g} ({new - old:+.2g})")


def _otherwise(record: Record, again: Record) -> Iterator[str]:
    """Yield what was not as recorded: parts of the fingerprint, or resolved parameters.

    ``method`` hashes only the parameters that were given; the resolved ones say it all.
    """
    for part in sorted(record.parts.keys() | again.parts.keys()):
        if part != "method" and record.parts.get(part) != again.parts.get(part):
            yield part
    for block in sorted(record.parameters.keys() | again.parameters.keys()):
        if _numbers(block, record) != _numbers(block, again):
            yield f"parameters.{block}"


def _numbers(block: str, record: Record) -> object:
    """Return a block of parameters without what decides no number."""
    values = record.parameters.get(block)
    if block != "input" or not isinstance(values, dict):
        return values
    return {k: v for k, v in values.items() if k not in ("workers", "store", "backend")}


def _changed(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    both = [name for name in old if name in new]
    return [f"{name} {new[name]}, recorded {old[name]}" for name in both if old[name] != new[name]]


def _differs(record: Record, again: Record, name: str) -> bool:
    """Tell whether a finer result differs; what version 1 has not is not compared."""
    old = getattr(record, name)
    return bool(old) and old != getattr(again, name)
