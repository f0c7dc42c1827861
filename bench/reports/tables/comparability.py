"""When numbers may be compared: with published ones (a Δ), and what the marks † ‡ § warn of."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from bench.config.profile import TRANSFER
from bench.data.reference import Published, published_size
from bench.evaluation.audit_flags import Flag
from bench.experiments.plan import TRANSFER as SPLIT
from bench.experiments.record import Record
from bench.reports.tables.context import EMBEDDED, TableContext
from bench.reports.tables.rows import Row

WHOLE = {"full", "gzsl", "fifty-fifty", "official3"}  # protocols with every class on a side
ENOUGH = 0.99  # of the published videos


def here(context: TableContext, dataset: str) -> tuple[int, int]:
    """Return the number of classes and videos of a data set here, 0 if unknown.

    Draws test part of the videos; a cell that is trained once tests all of them.
    """
    names: set[str] = set()
    for protocol in WHOLE & {*context.tests.get(dataset, ())}:
        file = context.split_file(f"{dataset}.{protocol}")
        splits = file.splits if file else []
        names |= {name for one in splits for name in (*one["seen"], *one["unseen"])}
    once = [one.coverage for one in context.records if one.split == SPLIT]
    return len(names), max((own[dataset].expected for own in once if dataset in own), default=0)


def opening(context: TableContext) -> list[str]:
    """Return the first lines above a table of measured numbers."""
    parts = {name: missing_part(context, name) for name in context.tests}
    return [
        context.header,
        *([EMBEDDED] if context.is_embedded_world else []),
        *(f"Only a part of {name} is here: {found}." for name, found in parts.items() if found),
    ]


def missing_part(context: TableContext, dataset: str) -> str:
    """Return which part of a public data set is here: "9 of 101 classes, 22 of 13,320 videos".

    "" if it is complete, or if only k220 is tested, which is a part by definition.
    """
    size = published_size(dataset)
    if not size or {*context.tests.get(dataset, ())} <= {"k220"}:
        return ""
    pairs = zip(here(context, dataset), size[:2], ("classes", "videos"), strict=True)
    return ", ".join(f"{n:,} of {of:,} {what}" for n, of, what in pairs if 0 < n < of)


def videos(context: TableContext, scope: str) -> int:
    """Return the published number of videos of a scope's data set if some are missing, else 0."""
    dataset, _, protocol = scope.partition(".")
    size = published_size(dataset) if protocol in TRANSFER else None
    return size[1] if size and missing_part(context, dataset) else 0


def comparable(context: TableContext, number: Published) -> bool:
    """Return whether any number measured here is comparable with a published one.

    The data set is complete, its protocol is tested, and a row has as many clips.
    """
    if context.is_embedded_world or number.protocol not in context.tests.get(number.dataset, ()):
        return False
    size = published_size(number.dataset)
    if size and missing_part(context, number.dataset):
        classes, count = here(context, number.dataset)
        if 0 < classes < size[0] or 0 < count < ENOUGH * size[1]:
            return False
    clips = _clips(context, context.records) or {context.clips}
    return bool({None, number.clips} & clips) or number.clips is None


def is_comparable(context: TableContext, row: Row, number: Published) -> bool:
    """Return whether a row's number is comparable with a published one.

    As ``comparable``, with the row's own clips and the same training data, with or without the
    classes near a test class. The training data of imported checkpoints is not checked.
    """
    clips = _clips(context, row.records) | {number.clips}
    if not comparable(context, number) or len(clips - {None}) > 1:
        return False
    if number.protocol not in TRANSFER or not context.train or "checkpoint" in row.reading:
        return number.protocol in TRANSFER or number.train == number.dataset
    if row.learning == "none" or number.train == "none":
        return row.learning == "none" and number.train == "none"
    overlap = context.overlap()
    filtered = overlap.tau > 0 if overlap else number.tau_filtered
    return number.train == context.train and number.tau_filtered == filtered


def _clips(context: TableContext, records: Iterable[Record]) -> set[int | None]:
    """Return the clips per test video of these records; None for features, which have none."""
    if context.clips is None:
        return {None}
    return {one.parameters.get("input", {}).get("test_clips", context.clips) for one in records}


_MACHINE = ("device", "cpu", "capability", "torch")  # of a record's environment
NOT_AUDITED = (
    "Whether test classes were seen in training or pre-training was not audited for these splits: "
    "run 'bench stage audit'."
)


def with_marks(context: TableContext, rows: Sequence[Row]) -> tuple[list[Row], list[str]]:
    """Return the rows with their marks, and the legend, empty if there are no flags.

    A flag of every measured row is in the legend only.
    """
    measured = [row for row in rows if row.records]
    found = sorted({flag for row in measured for flag in row.flags})
    common = {flag for flag in found if all(flag in row.flags for row in measured)}
    common = common if len(measured) > 1 else set()
    legend = [NOT_AUDITED] if measured and context.audit is None else []
    for flag in found:
        if flag in common:
            legend.append(f"Every measured row: {flag.text}.")
            continue
        of_mark = [one for one in found if one.mark == flag.mark and one not in common]
        labels = dict.fromkeys(row.label for row in measured if flag in row.flags)
        whose = f" {', '.join(labels)}:" if len(of_mark) > 1 else ""
        legend.append(f"{flag.mark}{whose} {flag.text}.")
    legend += _machines([record for row in measured for record in row.records])
    return [replace(row, marks=_marks(row, common)) if row.records else row for row in rows], legend


def _machines(records: Sequence[Record]) -> list[str]:
    """Name the different machines that trained a table's numbers, if there are several."""
    seen: dict[str, set[str]] = {name: set() for name in _MACHINE}
    for record in records:
        on_gpu = record.environment.get("device", "cpu") != "cpu"
        for name, values in seen.items():
            value = record.environment.get(name)
            if value and not (on_gpu and name == "cpu"):
                values.add(value)
    differing = [f"{name} {' or '.join(sorted(v))}" for name, v in seen.items() if len(v) > 1]
    if not differing:
        return []
    return [
        f"Trained on different machines: {'; '.join(differing)}. From one to another a network "
        "that is trained end to end moves as from seed to seed: 'bench verify --against'."
    ]


def _marks(row: Row, common: set[Flag]) -> str:
    return "".join(dict.fromkeys(flag.mark for flag in row.flags if flag not in common))
