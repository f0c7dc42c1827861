"""The evidence behind a page's numbers: the records of each row, the source of each quote."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bench.data.reference import Published, published
from bench.reports.report_model import Report
from bench.reports.tables.typed_table import MISSING, SCATTER, number_text

_KNOWN = {"status", "reason", "metrics", "coverage", "commit", "dirty", "fingerprint", "started"}
_KNOWN |= {"wall_s", "path", "seed", "split"}


@dataclass(frozen=True)
class Records:
    """The records of one row: ``keys`` are its metrics, each entry has a value or — for each."""

    anchor: str
    row: str
    label: str
    keys: tuple[str, ...]
    others: tuple[str, ...]  # names of facts without a column of their own
    entries: tuple[dict[str, Any], ...]
    counted: str  # "3 records", with those that are not ok


def anchors(kind: str, names: Iterable[str]) -> dict[str, str]:
    """Return name -> a unique id of letters, digits and ``.=+-``."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        plain = f"{kind}-{re.sub(r'[^A-Za-z0-9_.=+-]+', '-', name)[:80]}"
        new, n = plain, 1
        while new in taken:
            n += 1
            new = f"{plain}-{n}"
        taken.add(new)
        found[name] = new
    return found


def labels(report: Report) -> dict[str, str]:
    """Return row -> its label in the report's tables."""
    found: dict[str, str] = {}
    for table in report.tables:
        for row in table.data:
            if "row" in row:
                found.setdefault(row["row"], row.get("label", row["row"]))
    return found


def metric_text(key: str, value: float | None) -> str:
    """Return a record's value with one digit more than in tables, so that means can be checked."""
    if value is None:
        return MISSING
    return f"{value:.4f}" if key.rpartition(".")[2] in SCATTER else f"{value:.2f}"


def _entry(cell: str, facts: Mapping[str, Any], keys: Iterable[str], others: Iterable[str]) -> Any:
    reason, dirty = facts.get("reason", ""), " with changes" * bool(facts.get("dirty"))
    metrics, coverage = facts.get("metrics") or {}, facts.get("coverage") or {}
    wall = facts.get("wall_s")
    return {
        "cell": cell,
        "status": facts.get("status", MISSING) + f": {reason}" * bool(reason),
        "metrics": [metric_text(key, metrics.get(key)) for key in keys],
        "coverage": ", ".join(f"{name} {text}" for name, text in coverage.items()) or MISSING,
        "commit": f"{str(facts.get('commit') or MISSING)[:12]}{dirty}",
        "fingerprint": facts.get("fingerprint") or MISSING,
        "started": facts.get("started") or MISSING,
        "wall": MISSING if wall is None else f"{wall:.1f}",
        "others": [str(facts.get(name, MISSING)) for name in others],
        "path": facts.get("path", ""),
    }


def records(report: Report) -> list[Records]:
    """Return the records of each row, in the report's order."""
    ids, names = anchors("records", report.records), labels(report)
    found = []
    for row, cells in report.records.items():
        keys = tuple(dict.fromkeys(k for facts in cells.values() for k in facts.get("metrics", ())))
        others = tuple(
            dict.fromkeys(k for facts in cells.values() for k in facts if k not in _KNOWN)
        )
        bad = sum(facts.get("status") != "ok" for facts in cells.values())
        counted = f"{len(cells)} record{'s' * (len(cells) != 1)}" + f", {bad} not ok" * bool(bad)
        entries = tuple(_entry(cell, facts, keys, others) for cell, facts in cells.items())
        found.append(Records(ids[row], row, names.get(row, row), keys, others, entries, counted))
    return found


@dataclass(frozen=True)
class Quote:
    """A published number in the list of sources."""

    anchor: str
    about: Published
    value: str

    @property
    def tip(self) -> str:
        """The source and the setting of the number."""
        one = self.about
        where = one.dataset or "class set not stated"
        setting = [f"{where}, {one.protocol}", f"trained on {one.train}"]
        setting += [f"{one.clips} clip{'s' * (one.clips != 1)}"] if one.clips else []
        spread = "" if one.std else "\nno spread, no n stated"
        note = f"\n{one.note}" if one.note else ""
        said = f"Published {one.metric}: {self.value}{spread}\n{', '.join(setting)}{note}"
        return f"{said}\nSource: {one.source}"


def quotes() -> list[Quote]:
    """Return every published number, with its anchor."""
    return [
        Quote(f"published-{at}", one, number_text(one.value, one.std, one.key))
        for at, one in enumerate(published())
    ]
