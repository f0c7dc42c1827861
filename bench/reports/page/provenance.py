"""What a person asks of the records: facts of each cell, environments, what was built from."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.experiments.record import Record
from bench.reports.tables.cell_states import cells
from bench.reports.tables.context import TableContext


def by_row(context: TableContext, root: Path, folder: Path) -> dict[str, dict[str, Any]]:
    """Return row -> cell -> facts, of every record in ``folder``."""
    states = {cell.about.cell: (cell.state, cell.reason) for cell in cells(context)}
    found: dict[str, dict[str, Any]] = {}
    for record in context.records:
        state, reason = states.get(record.cell, ("not planned", ""))
        found.setdefault(record.row, {})[record.cell] = {
            "status": record.status if state == "ok" else state,
            "reason": record.reason or reason,
            "seed": record.seed,
            "split": record.split,
            "metrics": record.metrics,
            "coverage": {n: f"{c.scored}/{c.expected}" for n, c in record.coverage.items()},
            "commit": record.git_commit,
            "dirty": record.git_dirty,
            "fingerprint": record.fingerprint,
            "started": record.started,
            "wall_s": record.wall_s,
            "decoder": record.decoder,
            "path": (folder / f"{record.cell}.json").relative_to(root).as_posix(),
        }
    return found


def environment(records: Sequence[Record]) -> tuple[tuple[str, str], ...]:
    """Return (name, value) over all records; several values joined, the most frequent first."""
    seen: dict[str, dict[str, int]] = {}
    for record in records:
        own: Mapping[str, str] = record.environment | {"decoder": record.decoder}
        for name, value in own.items():
            counts = seen.setdefault(name, {})
            counts[value or "none"] = counts.get(value or "none", 0) + 1
    return tuple((name, _joined(counts)) for name, counts in sorted(seen.items()))


def _joined(counts: Mapping[str, int]) -> str:
    if len(counts) == 1:
        return next(iter(counts))
    ordered = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    return "; ".join(f"{value} ({count} records)" for value, count in ordered)


def built_from(records: Sequence[Record]) -> str:
    """Return how many records, of which commits, the newest from when."""
    if not records:
        return "no record"
    commits = sorted({one.git_commit[:12] for one in records if one.git_commit})
    dirty = sum(one.git_dirty for one in records)
    newest = max(one.started for one in records)[:10]
    shown = ", ".join(commits[:3]) + (f" and {len(commits) - 3} more" if len(commits) > 3 else "")
    return (
        f"{len(records)} record{'s' * (len(records) > 1)}"
        + (f" of commit{'s' * (len(commits) > 1)} {shown}" if commits else "")
        + (f" ({dirty} with changes beside it)" if dirty else "")
        + (f", the newest from {newest}" if newest else "")
    )
