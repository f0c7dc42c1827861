"""What the marks † ‡ § of rows mean: test classes seen, not known, chosen on test data."""

from collections.abc import Sequence
from dataclasses import replace

from bench.audit.rows import Flag
from bench.tables.context import TableContext
from bench.tables.rows import Row

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
    return [replace(row, marks=_marks(row, common)) if row.records else row for row in rows], legend


def _marks(row: Row, common: set[Flag]) -> str:
    return "".join(dict.fromkeys(flag.mark for flag in row.flags if flag not in common))
