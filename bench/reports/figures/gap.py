"""Measured minus published accuracy where they are comparable, or else measured accuracy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.data.reference import Published, published
from bench.evaluation.statistics import Gap
from bench.reports.figures.drawing import GREY, NOT_MEASURED, Sheet, not_drawn, short
from bench.reports.figures.material import Material
from bench.reports.report_model import Figure
from bench.reports.tables.comparability import comparable, is_comparable
from bench.reports.tables.rows import Row
from bench.reports.tables.typed_table import Counts, Number, Value, digits_of, text_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KEY = "gap"
TITLE = "Measured minus published"
_COLUMNS = ("row", "metric", "published", "measured", "n", "shown", "95 % interval")


@dataclass(frozen=True)
class _Entry:
    row: Row
    key: str
    gap: Gap
    number: Published | None


def draw(material: Material) -> Figure:
    """Return the gap chart; of measured numbers only if no published one is comparable."""
    context = material.context
    facts = [n for n in published() if comparable(context, n)]
    entries = [
        _Entry(row, number.key, gap, number)
        for row in material.own
        for number in facts
        if number.method == row.method and not row.reading and is_comparable(context, row, number)
        if (gap := material.interval(row, number.key, number.value))
    ]
    title = TITLE
    if not entries:
        title = "Measured accuracy (no published number is comparable)"
        entries = [
            _Entry(row, key, gap, None)
            for row in material.own
            for key in map(context.headline, context.primary)
            if (gap := material.interval(row, key))
        ]
    if not entries:
        return not_drawn(KEY, title, NOT_MEASURED)
    return _drawn(material, title, entries)


def _drawn(material: Material, title: str, entries: Sequence[_Entry]) -> Figure:
    panels: dict[str, list[_Entry]] = {}
    for one in entries:
        panels.setdefault(one.key, []).append(one)
    keys, gaps = list(panels), entries[0].number is not None
    columns = min(2, len(panels))
    counts = list(map(len, panels.values()))
    sizes = [max(counts[at : at + columns]) for at in range(0, len(counts), columns)]
    sheet = Sheet(
        KEY, 7.2, 0.2 + sum(0.7 + 0.21 * size for size in sizes), (len(sizes), columns),
        heights=[size + 2 for size in sizes],
    )  # fmt: skip
    for place, (axes, (key, found)) in enumerate(zip(sheet.axes, panels.items(), strict=False)):
        for at, one in enumerate(found):
            _entry(material, sheet, axes, at, one)
        axes.set_title(_name(key))
        axes.set_xlabel("points from published" if gaps else "top-1, percent of videos")
        axes.set_ylim(sizes[place // columns] - 0.4, -0.6)
        labels = [short(one.row.label, 28) for one in found]
        axes.set_yticks(range(len(found)), labels)
        before = panels[keys[place - 1]] if place % columns else []
        if [one.row.name for one in before] == [one.row.name for one in found]:
            axes.tick_params(labelleft=False)
        axes.grid(False, axis="y")
        if gaps:
            axes.axvline(0, color=GREY, lw=1, zorder=0)
    for axes in sheet.axes[len(panels) :]:
        axes.set_axis_off()
    rows = {one.row.name for one in entries}
    shown = "the gap to the published number" if gaps else "the measured accuracy"
    return sheet.figure(
        title,
        _text(material, keys, gaps),
        f"Dots with 95 % intervals: {shown} of {len(rows)} rows on {', '.join(map(_name, keys))}.",
        _COLUMNS,
        [_line(one) for one in entries],
    )


def _entry(material: Material, sheet: Sheet, axes: "Axes", at: int, one: _Entry) -> None:
    """Draw one row's dot and interval."""
    look = material.looks[one.row.name]
    middle, bounds = one.gap.difference, one.gap.interval
    bar = axes.plot(bounds, (at, at), color=look.colour, lw=1.8) if bounds else []
    marker = "o" if look.marker == "." else look.marker
    fill = look.colour if bounds else "none"
    point = axes.plot(middle, at, marker, color=look.colour, markerfacecolor=fill)
    sheet.hover(_said(material, one), *bar, *point)


def _name(key: str) -> str:
    dataset, protocol, metric = key.split(".")
    return f"{dataset} · {protocol}" + (" · harmonic mean" if metric == "harmonic" else "")


def _bounds(gap: Gap, sign: str) -> str | None:
    if gap.interval is None:
        return None
    return f"{gap.interval[0]:{sign}.1f} to {gap.interval[1]:{sign}.1f}"


def _line(one: _Entry) -> tuple[Value, ...]:
    found, digits, quoted = one.row.spread(one.key), digits_of(one.key), one.number
    assert found is not None
    return (
        one.row.label,
        _name(one.key),
        Number(quoted.value, quoted.std, digits) if quoted else None,
        Number(found.mean, found.std, digits),
        Counts.of(found.n),
        Number(one.gap.difference, signed=quoted is not None),
        _bounds(one.gap, "+" if quoted else ""),
    )


def _said(material: Material, one: _Entry) -> str:
    label, metric, quoted, found, n, shown, bounds = map(text_of, _line(one))
    over = one.row.repeats(one.key)
    lines = [f"{label} · {metric}", f"measured {found} (n = {n} {over}), 95 % {bounds}"]
    if one.number:
        lines[1] = f"measured {found} (n = {n} {over})"
        lines.append(f"published {quoted} ({one.number.source}): gap {shown}, 95 % {bounds}")
    return "\n".join(lines)


def _text(material: Material, keys: Sequence[str], gaps: bool) -> str:
    context = material.context
    over = {context.per_draw(key.rpartition(".")[0]) for key in keys}
    ways = []
    if False in over:
        ways.append(
            "over seeds on the same test videos (Student's t), so it says nothing of other classes"
        )
    if True in over:
        ways.append("over draws of the classes, corrected for the classes that draws share")
    read = (
        f"A bar is the 95 % interval of the mean, {'; '.join(ways)}; it is cut at 0 and 100 %. "
        "Hollow: n = 1, no interval."
    )
    if gaps:
        return (
            f"A dot is the measured mean minus the published number, in points. {read} The "
            "published number is taken as exact: what another seed of theirs would give is unknown."
            "\n\nOnly numbers of the same data set, protocol and clips a video are shown."
        )
    return f"{_why(material)}\n\nA dot is a row's mean top-1. {read}"


def _why(material: Material) -> str:
    context = material.context
    if context.is_embedded_world:
        return (
            "No gap to the published numbers is drawn: this is a small generated world, and its "
            "numbers are no evidence for or against the paper."
        )
    known = {(number.dataset, number.protocol) for number in published()}
    ours = [(name, p) for name, protocols in context.tests.items() for p in protocols]
    strange = sorted({f"{name} · {p}" for name, p in ours if (name, p) not in known})
    if len(strange) == len(ours):
        return (
            f"No gap is drawn: nothing was published on {', '.join(strange)}, and numbers of other "
            "classes, videos or splits are not comparable."
        )
    return (
        "No gap is drawn: no row with a published number on these data sets and protocols is "
        "measured with as many clips a video, on the whole data set, after training on the same."
    )
