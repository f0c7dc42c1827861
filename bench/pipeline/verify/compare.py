"""Is a repeated cell the recorded one: identical, within tolerance, or different?"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from bench.data.formats.input_files import COMPUTED
from bench.experiments.record import Record

Word = Literal["identical", "within tolerance", "different", "not verified"]
CODE = ("core", "source")  # parts of the fingerprint
DISTANCES = ("closeness", "dispersion")
FINER = ("per_split", "per_class", "videos", "right", "best_on_test_step")
SHOWN = 5  # metrics that a verdict names


@dataclass(frozen=True)
class Verdict:
    """What came of one cell; ``details`` are lines for a reader."""

    cell: str
    word: Word
    details: list[str]
    elsewhere: bool = False  # the repeat ran on another type of machine, or with other versions

    @property
    def stands(self) -> bool:
        """Whether the record may be trusted."""
        return self.word in ("identical", "within tolerance")


def compare(record: Record, again: Record, points: float) -> Verdict:
    """Compare a record with its repeat.

    Results are compared, whatever the code's hash: a refactoring must change none of them.
    Identical: every metric, class, video and embedding, to the last bit, and every count. Within
    tolerance: accuracies to ``points``, distances to a hundredth of it; this is granted only where
    the machine or a library is another one. Else different.
    """
    machine = changed(record.environment, again.environment)
    details = [f"another machine or version: {', '.join(machine)}"] if machine else []
    unlike = list(otherwise(record, again))
    code = [name for name in unlike if name in CODE]
    if code:
        unlike = [name for name in unlike if name not in code]
        details.append(f"other code: {', '.join(code)}")
    computed = [name for name in unlike if name.startswith(COMPUTED)]
    if machine and computed:
        unlike = [name for name in unlike if name not in computed]
        details.append(f"other digits of inputs: {', '.join(computed)}")
    if unlike:
        details.append(f"not made as recorded: {', '.join(unlike)} differ")
    gaps = dict(_gaps(record, again, points))
    embedded = [k for k, v in record.embeddings.items() if again.embeddings.get(k) != v]
    finer = [name for name in FINER if getattr(record, name) != getattr(again, name)]
    if not (gaps or embedded or finer or unlike):
        bits = f"{len(record.embeddings)} sets of embeddings, to the last bit"
        return Verdict(
            record.cell,
            "identical",
            [*details, f"{len(record.metrics)} metrics, {bits}"],
            bool(machine),
        )
    largest = sorted(gaps, key=lambda name: -gaps[name][0])
    details += [gaps[name][1] for name in largest[:SHOWN]]
    if len(gaps) > SHOWN:
        details.append(f"and {len(gaps) - SHOWN} more metrics")
    if not gaps:
        what = [*finer, *(f"embeddings of {name}" for name in embedded)]
        details.append(f"the metrics agree, {', '.join(what) or 'its making'} differs")
    if machine and not unlike and all(size <= 1 for size, _ in gaps.values()):
        bounds = f"tolerance {points:g} points, {points / 100:g} of a distance"
        return Verdict(record.cell, "within tolerance", [*details, bounds], True)
    return Verdict(record.cell, "different", details, bool(machine))


def _gaps(record: Record, again: Record, points: float) -> Iterator[tuple[str, tuple[float, str]]]:
    """Yield metrics that differ: name, (size in tolerances, a line)."""
    recorded, measured = _metrics(record), _metrics(again)
    for name in dict.fromkeys([*recorded, *measured]):
        old, new = recorded.get(name), measured.get(name)
        if old is None or new is None:
            side = "measured now, not recorded" if old is None else "recorded, not measured now"
            yield name, (float("inf"), f"{name}: {side}")
        elif old != new:
            allowed = points / 100 if name.rpartition(".")[2] in DISTANCES else points
            size = abs(new - old) / allowed if allowed else float("inf")
            yield name, (size, f"{name}: {new:g}, recorded {old:g} ({new - old:+.2g})")


def _metrics(record: Record) -> dict[str, float]:
    best = record.metrics_best_on_test.items()
    return record.metrics | {f"best on test, {name}": value for name, value in best}


def otherwise(record: Record, again: Record) -> Iterator[str]:
    """Yield what was not as recorded: parts of the fingerprint, parameters, data, counts.

    ``method`` hashes only the parameters that were given; the resolved ones say it all.
    """
    for part in sorted(record.parts.keys() | again.parts.keys()):
        if part != "method" and record.parts.get(part) != again.parts.get(part):
            yield part
    for block in sorted(record.parameters.keys() | again.parameters.keys()):
        if _numbers(block, record) != _numbers(block, again):
            yield f"parameters.{block}"
    for name in (
        "data",
        "split_digests",
        "steps",
        "effective_batch",
        "training_videos",
        "checkpoint",
    ):
        if getattr(record, name) != getattr(again, name):
            yield name
    if _covered(record) != _covered(again):
        yield "coverage"


def _covered(record: Record) -> dict[str, object]:
    """Return what was embedded, without the reasons, which may be worded anew."""
    seen = record.coverage.items()
    return {name: (c.digest, c.expected, c.scored, sorted(c.failed)) for name, c in seen}


def _numbers(block: str, record: Record) -> object:
    """Return a block of parameters without what decides no number."""
    values = record.parameters.get(block)
    if block != "input" or not isinstance(values, dict):
        return values
    return {k: v for k, v in values.items() if k not in ("workers", "store", "backend")}


def changed(old: Mapping[str, str], new: Mapping[str, str], whose: str = "recorded") -> list[str]:
    """Name what both environments know and have otherwise: another type of CPU, a version.

    ``whose`` says what the old one is.
    """
    both = [name for name in old if name in new]
    return [f"{name} {new[name]}, {whose} {old[name]}" for name in both if old[name] != new[name]]
