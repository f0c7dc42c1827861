"""What two rows got right on the same predictions, from their records: per class, per video."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.errors import UserError
from bench.experiments.record import Record
from bench.reports.tables.rows import Row

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ByClass:
    """Of every class: videos [C] tested, and how many more of them row a gets right [C].

    Means over seeds; of draws, sums over the draws that both rows have.
    """

    classes: list[str]
    videos: Floats
    gain: Floats

    @property
    def difference(self) -> float:
        """Accuracy over videos of a − that of b, in points."""
        return 100 * float(self.gain.sum() / self.videos.sum())


@dataclass(frozen=True)
class ByVideo:
    """Of every class: each video's right of a − right of b [n], and in how many draws it stands."""

    gains: list[Floats]
    tested: list[int]

    @property
    def difference(self) -> float:
        """Accuracy over videos of a − that of b, in points."""
        videos = sum(len(gain) * n for gain, n in zip(self.gains, self.tested, strict=True))
        return 100 * float(sum(gain.sum() for gain in self.gains)) / videos


def rightness(record: Record, scope: str) -> dict[str, NDArray[np.bool_]]:
    """Return class -> [n] whether each of its videos, in the manifest's order, was right.

    ``right`` holds the bits of the scored videos; a manifest is sorted by class, so that the counts
    per class say whose they are. UserError for a record without them or where the two disagree.
    """
    stored: Mapping[str, Mapping[str, str]] = getattr(record, "right", {})
    if scope not in stored:
        raise UserError(
            f"record {record.cell} has no per-video results of {scope}"
            f"{'' if stored else ' (schema 1)'}; run 'bench stage score'"
        )
    if scope not in record.per_class or len(stored[scope]) != 1:
        raise UserError(f"record {record.cell} has no counts per class of {scope}")
    counts = sorted(record.per_class[scope].items())
    ends = np.cumsum([videos for _, (videos, _) in counts])
    wrong = f"record {record.cell}: per-video results of {scope} do not fit its counts per class"
    try:
        packed = np.frombuffer(bytes.fromhex(next(iter(stored[scope].values()))), np.uint8)
    except ValueError:
        raise UserError(f"{wrong} (no hexadecimal); run 'bench stage score'") from None
    bits = np.unpackbits(packed).astype(bool)
    if not 0 <= len(bits) - int(ends[-1]) < 8 or bits[ends[-1] :].any():
        raise UserError(f"{wrong} ({len(bits)} bits); run 'bench stage score'")
    parts = np.split(bits[: ends[-1]], ends[:-1])
    for (name, (_, right)), part in zip(counts, parts, strict=True):
        if int(part.sum()) != right:
            raise UserError(f"{wrong} (class {name}); run 'bench stage score'")
    return {name: part for (name, _), part in zip(counts, parts, strict=True)}


def _groups(row: Row, scope: str) -> dict[str, list[Record]]:
    """Return training split -> its records of each seed."""
    found: dict[str, list[Record]] = defaultdict(list)
    for record in row.records:
        if scope in record.per_class:
            found[record.split].append(record)
    return found


def _both(a: Row, b: Row, scope: str) -> list[tuple[list[Record], list[Record]]]:
    of_a, of_b = _groups(a, scope), _groups(b, scope)
    pairs = [(of_a[split], of_b[split]) for split in sorted(of_a.keys() & of_b.keys())]
    if of_a and of_b and not pairs:
        raise UserError(f"{a.name} and {b.name} have no draw of {scope} in common")
    if not pairs:
        raise UserError(
            f"no counts per class of {scope}, which is scored over several class splits"
        )
    for pair in pairs:
        sizes = [{c: n for c, (n, _) in r.per_class[scope].items()} for side in pair for r in side]
        if any(size != sizes[0] for size in sizes):
            raise UserError(f"{a.name} and {b.name} were not scored on the same videos of {scope}")
    return pairs


def by_class(a: Row, b: Row, scope: str) -> ByClass:
    """Pair two rows over the classes of ``<data set>.<protocol>``; UserError where they differ."""
    videos: dict[str, float] = defaultdict(float)
    gain: dict[str, float] = defaultdict(float)
    for pair in _both(a, b, scope):
        for sign, records in zip((1, -1), pair, strict=True):
            for record in records:
                for name, (_, right) in record.per_class[scope].items():
                    gain[name] += sign * right / len(records)
        for name, (count, _) in pair[0][0].per_class[scope].items():
            videos[name] += count
    names = sorted(name for name, count in videos.items() if count)
    return ByClass(names, np.array([videos[n] for n in names]), np.array([gain[n] for n in names]))


def by_video(a: Row, b: Row, scope: str) -> ByVideo:
    """Pair two rows over videos; UserError as ``by_class`` and ``rightness``."""
    gains: dict[str, Floats] = {}
    tested: dict[str, int] = defaultdict(int)
    for pair in _both(a, b, scope):
        means = []
        for records in pair:
            found = [rightness(record, scope) for record in records]
            means.append({c: np.mean([one[c] for one in found], axis=0) for c in found[0]})
        for name in means[0]:
            gain = means[0][name] - means[1][name]
            if len(gain):
                if len(gains.get(name, gain)) != len(gain):
                    raise UserError(f"the draws of {scope} do not test the same videos of {name}")
                gains[name] = gains.get(name, 0.0) + gain
                tested[name] += 1
    names = sorted(gains)
    return ByVideo([gains[name] for name in names], [tested[name] for name in names])


def by_seed(a: Row, b: Row, scope: str) -> dict[int, tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Return seed -> rightness [N] of a and of b, for the seeds that both rows have."""
    (pair,) = _both(a, b, scope)
    rows = [
        {record.seed: np.concatenate(list(rightness(record, scope).values())) for record in side}
        for side in pair
    ]
    return {
        seed: (rows[0][seed], rows[1][seed]) for seed in sorted(rows[0].keys() & rows[1].keys())
    }
