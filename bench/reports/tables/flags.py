"""What the marks † ‡ § of rows mean: test classes seen, not known, chosen on test data.

And whether rows of one table were trained on different machines.
"""

from collections.abc import Sequence
from dataclasses import replace

from bench.evaluation.leakage.audit_flags import Flag
from bench.experiments.record import Record
from bench.reports.tables.context import TableContext
from bench.reports.tables.rows import Row

_MACHINE = ("device", "cpu", "capability", "torch")  # of a record's environment
NOT_AUDITED = (
    "Whether test classes were seen in training or pre-training was not audited for these splits: "
    "run 'bench stage audit'."
)


def with_marks(context: TableContext, rows: Sequence[Row]) -> tuple[list[Row], list[str]]:
    """Return the rows with their marks, and the legend: nothing where there is nothing to flag.

    A flag that every measured row has is said once and marks none.
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
    """Say on what different machines one table's numbers were trained, nothing if on one type."""
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
