"""Shared by all tables: columns, header lines, comparability with published numbers, marks."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from bench.config.profile import TRANSFER as ONCE
from bench.data.reference import Published, published_size
from bench.evaluation.audit_flags import Flag
from bench.experiments.plan import TRANSFER
from bench.experiments.record import Record
from bench.reports.tables.context import EMBEDDED, TableContext
from bench.reports.tables.rows import Row
from bench.reports.tables.typed_table import (
    SCATTER,
    Column,
    Counts,
    Difference,
    Measured,
    Quoted,
    State,
    Value,
    digits_of,
)

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
    once = [one.coverage for one in context.records if one.split == TRANSFER]
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
    size = published_size(dataset) if protocol in ONCE else None
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
    if number.protocol not in ONCE or not context.train or "checkpoint" in row.reading:
        return number.protocol in ONCE or number.train == number.dataset
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
        f"Trained on different machines: {'; '.join(differing)}. Between machines, a "
        "network trained end to end varies as much as between seeds: see 'bench verify --against'."
    ]


def _marks(row: Row, common: set[Flag]) -> str:
    return "".join(dict.fromkeys(flag.mark for flag in row.flags if flag not in common))


STATUS = Column("", "status", lambda row: State(row.worst, row.state))


def heading(key: str) -> str:
    """Return the name of a metric's column: ``mini_ucf`` for top-1, ``C↓ mini_ucf``, ``H …``."""
    dataset, _, metric = key.split(".")
    named = {**SCATTER, "harmonic": "H"}
    return f"{named.get(metric, '')} {dataset.replace('seen_', 'seen ', 1)}".lstrip()


def measured(key: str) -> Column:
    """Mean and deviation over seeds or draws, with a star where the row ties with the best."""

    def value(row: Row) -> Value:
        found = row.spread(key)
        if found is None:
            return None
        return Measured(
            found.mean,
            found.std,
            digits_of(key),
            is_tied=key in row.tied,
            key=key,
            n=found.n,
            over=row.repeats(key),
            within=row.within(key),
        )

    return Column("measured", heading(key), value)


ALSO = (
    "also ±: the second deviation of a row that has two, one number per data set: over the class "
    "splits that one model is tested on, or over the seeds of one draw."
)


def within(context: TableContext, keys: list[str], table: list[str]) -> list[Column]:
    """Return the column of the other deviation, ``splits 5.4, 7.1``; none if no row has it."""
    seeds = Counter((one.row, one.split) for one in context.records if one.split != TRANSFER)
    draws = {split.rpartition(".")[0] for (_, split), count in seeds.items() if count > 1}
    tested = any(key in one.per_split for one in context.records for key in table)
    if not tested and not any(map(context.per_draw, draws)):
        return []

    def value(row: Row) -> Value:
        found = [(key, *other) for key in keys if (other := row.within(key))]
        over = ", ".join(dict.fromkeys(name for _, name, _ in found))
        stds = (f"{spread.std:.{digits_of(key)}f}" for key, _, spread in found)
        return f"{over} {', '.join(stds)}" if found else None

    return [Column("measured", "also ±", value)]


def quoted(key: str) -> Column:
    """A published number; closeness and dispersion are published without a data set."""

    def value(row: Row) -> Value:
        number = row.published.get(key)
        if number is None:
            return None
        return Quoted(number.value, number.std, digits_of(key), source=number)

    dataset, _, metric = key.split(".")
    return Column("published", SCATTER.get(metric, dataset.upper()), value)


def delta(context: TableContext, key: str) -> Column:
    """Measured − published, where the two may be compared."""

    def value(row: Row) -> Value:
        found, number = row.spread(key), row.published.get(key)
        if found is None or number is None or not is_comparable(context, row, number):
            return None
        return Difference(found.mean - number.value, digits=digits_of(key), signed=True)

    return Column("Δ", heading(key), value)


def repeats(keys: list[str]) -> Column:
    """The number of seeds or draws of each metric: ``3``, or ``2/3`` if some are missing."""

    def value(row: Row) -> Value:
        counts = []
        for key in keys if row.planned or row.values else ():
            done = len(row.values.get(key, {}))
            planned = row.planned.get(key.rpartition(".")[0], row.planned.get(TRANSFER, done))
            counts.append((done, planned if done < planned else None))
        return Counts(tuple(counts)) if counts else None

    return Column("measured", "n", value)


def coverage(context: TableContext, scopes: Iterable[str]) -> Column:
    """Videos scored / expected, summed over the scopes' data sets.

    A list of videos has a count of its own. Of a public data set that is only partly here, all
    published videos are expected.
    """
    wanted = list(scopes)

    def value(row: Row) -> Value:
        seen = {}
        for scope in wanted if row.status != "quoted" else ():
            name, _, protocol = scope.partition(".")
            found = row.coverage(protocol)
            if part := found.get(scope, found.get(name)):
                whole = 0 if scope in found else videos(context, scope)
                seen[name] = part["scored"], max(whole, part["expected"])
        scored, expected = map(sum, zip(*seen.values(), strict=True)) if seen else (0, 0)
        return Counts.of(scored, expected) if expected else None

    return Column("measured", "coverage", value)
