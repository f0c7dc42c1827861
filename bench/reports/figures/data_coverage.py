"""Videos expected and scored per data set, with the reasons for missing ones."""

from collections import Counter
from collections.abc import Sequence

from bench.reports.figures.drawing import GREY, PALETTE, Sheet, not_drawn, short
from bench.reports.report_model import Coverage, Figure
from bench.reports.tables.rows import Row
from bench.reports.tables.typed_table import Counts, Value

KEY = "coverage"
TITLE = "Data coverage"


def gather(rows: Sequence[Row]) -> tuple[Coverage, ...]:
    """Return the videos of the least complete record and the failures of all, by data set.

    The videos of the training split are the data set "training"; records only count them.
    """
    expected: dict[str, tuple[int, int]] = {}
    failed: dict[str, dict[str, str]] = {}
    for record in (record for row in rows for record in row.records):
        seen = {name: (one.expected, one.scored) for name, one in record.coverage.items()}
        used = record.training_videos
        if used.get("expected"):
            name = f"training ({', '.join(sorted(record.data.keys() - record.coverage.keys()))})"
            name = name if record.data.keys() - record.coverage.keys() else "training"
            seen[name] = (used["expected"], used.get("used", 0))
        for name, pair in seen.items():
            before = expected.setdefault(name, pair)
            expected[name] = max(before, pair, key=lambda one: (one[0] - one[1], one[0]))
        for name, one in record.coverage.items():
            failed.setdefault(name, {}).update(one.failed)
    return tuple(
        Coverage(name, *pair, tuple(sorted(failed.get(name, {}).items())))
        for name, pair in sorted(expected.items())
    )


def draw(found: Sequence[Coverage]) -> Figure:
    """Return one bar per data set: used and lost videos."""
    if not found:
        return not_drawn(KEY, TITLE, "No record says yet what it was scored on; run 'dvc repro'.")
    sheet = Sheet(KEY, 7.2, 0.9 + 0.3 * len(found))
    (axes,) = sheet.axes
    for at, one in enumerate(found):
        share = 100 * one.used / one.expected if one.expected else 0.0
        said = f"{one.dataset}: {one.used} of {one.expected} videos used ({share:.1f} %)"
        used = axes.barh(at, share, color=PALETTE[0], height=0.55, alpha=0.85)
        lost = axes.barh(at, 100 - share, left=share, color=PALETTE[1], height=0.55, hatch="////")
        sheet.hover(said + f", {one.expected - one.used} lost", *used, *lost)
        axes.text(102, at, f"{one.used} / {one.expected}", va="center")
    axes.set_yticks(range(len(found)), [short(one.dataset) for one in found])
    axes.set_ylim(len(found) - 0.5, -0.5)
    axes.set_xlim(0, 118)
    axes.set_xticks(range(0, 101, 20))
    axes.set_xlabel("percent of the videos that should have been used")
    axes.grid(False, axis="y")
    axes.axvline(100, color=GREY, lw=0.6)
    lost_ones = sum(one.expected - one.used for one in found)
    return sheet.figure(
        TITLE,
        "Videos used of those that should have been, of the least complete record of each data set "
        "(blue: used; hatched: lost). A video that cannot be read is never replaced by another: it "
        "is missing from the numbers, and listed here.",
        f"Videos used of those expected for {len(found)} data sets; {lost_ones} were lost.",
        ("data set", "expected", "used", "lost", "reasons"),
        [_line(one) for one in found],
    )


def _line(one: Coverage) -> tuple[Value, ...]:
    reasons = Counter(reason for _, reason in one.failed)
    texts = [f"{reason} ({count})" for reason, count in reasons.most_common(5)]
    lost = one.expected - one.used
    reasons_text = "; ".join(texts) or ("not in the records" if lost else None)
    return one.dataset, *map(Counts.of, (one.expected, one.used, lost)), reasons_text
