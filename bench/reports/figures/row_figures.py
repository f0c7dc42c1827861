"""Figures of all rows: gap to the published numbers, accuracy, closeness and dispersion, τ."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.config.profile import load_config
from bench.data.reference import Published, published
from bench.errors import UserError
from bench.evaluation.statistics import Gap
from bench.experiments.saved_sweeps import SweepFile, saved_sweep
from bench.reports.figures.drawing import GREY, INK, Look, Sheet, short
from bench.reports.figures.material import NOT_MEASURED, Material
from bench.reports.report_model import Figure
from bench.reports.tables.columns import comparable, is_comparable
from bench.reports.tables.rows import Row
from bench.reports.tables.typed_table import Counts, Number, Value, digits_of, number_text, text_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _name(scope: str) -> str:
    """Return ``<data set> · <protocol>`` of a scope or a metric."""
    dataset, protocol, metric = f"{scope}.".split(".")[:3]
    return f"{dataset} · {protocol}" + " · harmonic mean" * (metric == "harmonic")


def _cells(material: Material, row: Row, keys: Sequence[str]) -> tuple[Value, ...]:
    return material.looks[row.name].cell, row.label, *(row.text(key) for key in keys)


@dataclass(frozen=True)
class _Entry:
    row: Row
    key: str
    gap: Gap
    number: Published | None


def draw_gap(material: Material) -> Figure:
    """Draw measured − published; measured numbers only if no published one is comparable."""
    context = material.context
    title = "Measured minus published"
    entries = [
        _Entry(row, number.key, gap, number)
        for row in material.own
        for number in published()
        if comparable(context, number) and number.method == row.method and not row.reading
        if is_comparable(context, row, number)
        if (gap := material.interval(row, number.key, number.value))
    ]
    gaps = bool(entries)
    if not gaps:
        title = "Measured accuracy (no published number is comparable)"
        entries = [
            _Entry(row, key, gap, None)
            for row in material.own
            for key in map(context.headline, context.primary)
            if (gap := material.interval(row, key))
        ]
    if not entries:
        raise UserError(NOT_MEASURED)
    panels: dict[str, list[_Entry]] = defaultdict(list)
    for one in entries:
        panels[one.key].append(one)
    counts = list(map(len, panels.values()))
    sizes = [max(counts[at : at + 2]) for at in range(0, len(counts), 2)]
    height = 0.2 + sum(0.7 + 0.21 * size for size in sizes)
    sheet = Sheet("gap", height, len(panels), 2, heights=[size + 2 for size in sizes])
    before: list[str] = []
    for place, (axes, (key, found)) in enumerate(zip(sheet.axes, panels.items(), strict=True)):
        for at, one in enumerate(found):
            _draw_entry(material, sheet, axes, at, one)
        axes.set_title(_name(key))
        axes.set_xlabel("points from published" if gaps else "top-1, percent of videos")
        axes.set_ylim(sizes[place // 2] - 0.4, -0.6)
        names = [one.row.label for one in found]
        axes.set_yticks(range(len(found)), [short(name, 28) for name in names])
        axes.tick_params(labelleft=not (place % 2 and names == before))
        axes.grid(False, axis="y")
        if gaps:
            axes.axvline(0, color=GREY, lw=1, zorder=0)
        before = names
    shown = "the gap to the published number" if gaps else "the measured accuracy"
    return sheet.figure(
        title,
        _gap_text(material, list(panels), gaps),
        f"Dots with 95 % intervals: {shown} of {len({one.row.name for one in entries})} rows on "
        f"{', '.join(map(_name, panels))}.",
        ("row", "metric", "published", "measured", "n", "shown", "95 % interval"),
        [_gap_line(one) for one in entries],
    )


def _draw_entry(material: Material, sheet: Sheet, axes: "Axes", at: int, one: _Entry) -> None:
    look, bounds = material.looks[one.row.name], one.gap.interval
    drawn = axes.plot(bounds, (at, at), color=look.colour, lw=1.8) if bounds else []
    marker = "o" if look.marker == "." else look.marker
    fill = look.colour if bounds else "none"
    drawn += axes.plot(one.gap.difference, at, marker, color=look.colour, markerfacecolor=fill)
    label, metric, quoted, found, n, shown, interval = map(text_of, _gap_line(one))
    said = f"{label} · {metric}\nmeasured {found} (n = {n} {one.row.repeats(one.key)})"
    if one.number:
        said += f"\npublished {quoted} ({one.number.source}): gap {shown}"
    sheet.hover(f"{said}, 95 % {interval}", *drawn)


def _gap_line(one: _Entry) -> tuple[Value, ...]:
    found, digits, quoted, bounds = (
        one.row.spread(one.key), digits_of(one.key), one.number, one.gap.interval
    )  # fmt: skip
    assert found is not None
    sign = "+" if quoted else ""
    return (
        one.row.label,
        _name(one.key),
        Number(quoted.value, quoted.std, digits) if quoted else None,
        Number(found.mean, found.std, digits),
        Counts.of(found.n),
        Number(one.gap.difference, signed=quoted is not None),
        f"{bounds[0]:{sign}.1f} to {bounds[1]:{sign}.1f}" if bounds else None,
    )


def _gap_text(material: Material, keys: Sequence[str], gaps: bool) -> str:
    context = material.context
    by_draw = {context.per_draw(key.rpartition(".")[0]) for key in keys}
    ways = ["over seeds on the same test videos (Student's t)"] * (False in by_draw)
    ways += ["over draws of the classes, corrected for shared classes"] * (True in by_draw)
    read = (
        f"A bar is the 95 % interval of the mean {', or '.join(ways)}, cut at 0 and 100 %. "
        "Hollow: n = 1, no interval."
    )
    if gaps:
        return (
            f"A dot is the measured mean minus the published number, in points. {read} The "
            "published number is taken as exact.\n\n"
            "Only numbers of the same data set, protocol and clips per video are shown."
        )
    known = {(number.dataset, number.protocol) for number in published()}
    ours = [(name, p) for name, protocols in context.tests.items() for p in protocols]
    if context.is_embedded_world:
        why = "this is a small generated world: no evidence for or against the paper."
    elif not known & set(ours):
        names = ", ".join(sorted(f"{name} · {p}" for name, p in ours))
        why = f"nothing was published on {names}."
    else:
        why = (
            "no row with a published number on these data sets and protocols is measured with as "
            "many clips per video, on the whole data set, after training on the same data."
        )
    return f"No gap to published numbers is drawn: {why}\n\nA dot is a row's mean top-1. {read}"


def draw_accuracy(material: Material) -> Figure:
    """Draw one panel per data set, with its protocols along x by number of test classes."""
    context, rows = material.context, material.own
    keys = [key for key in context.headlines if any(row.values.get(key) for row in rows)]
    sizes = {key: context.split_sizes(key.rpartition(".")[0])[0] for key in keys}
    panels = {}
    for name in context.tests:
        if shown := [key for key in keys if key.split(".")[0] == name]:
            panels[name] = sorted(shown, key=lambda key: sizes[key])
    if not panels:
        raise UserError(NOT_MEASURED)
    chance = {  # none of a harmonic mean, or without the split file
        key: None if size < 2 or key.endswith("harmonic") else Number(100 / size)
        for key, size in sizes.items()
    }
    classes = {key: f"{size if size > 1 else '?'} classes" for key, size in sizes.items()}
    width = max(4.2, min(7.2, 1.6 + 1.6 * len(keys)))
    sheet = Sheet("accuracy", 4.4, len(panels), len(panels), width=width, share=(False, True))
    for axes, (name, shown) in zip(sheet.axes, panels.items(), strict=True):
        for at, key in enumerate(shown):
            for place, row in enumerate(rows):
                if found := row.spread(key):
                    x = at + 0.76 * (place + 0.5) / len(rows) - 0.38
                    said = f"{row.label} · {key}\n{row.text(key)}"
                    look = material.looks[row.name]
                    sheet.point(axes, (x, found.mean), look, said, row.label, (None, found.std))
            if number := chance[key]:
                ends, level = (at - 0.45, at + 0.45), (number.value,) * 2
                line = axes.plot(ends, level, "--", color=INK, lw=1, label="chance")
                sheet.hover(f"chance: {number} %, 1 of {classes[key]}", *line)
        ticks = [f"{key.split('.')[1]}\n{classes[key]}" for key in shown]
        axes.set_xticks(range(len(shown)), ticks)
        axes.set_xlim(-0.5, len(shown) - 0.5)
        axes.grid(False, axis="x")
        axes.set_title(name)
    sheet.axes[0].set_ylabel("percent")
    sheet.axes[0].set_ylim(0, min(100.0, sheet.axes[0].get_ylim()[1]))
    sheet.legend(columns=2 if width < 6 else 3)
    order = [key for shown in panels.values() for key in shown]
    heads = {key: f"{_name(key.rpartition('.')[0])} ({classes[key]})" for key in order}
    return sheet.figure(
        "Accuracy against the number of test classes",
        "Mean over seeds or draws with one sample deviation. Fewer test classes are easier for "
        "every model: compare rows within a protocol, never across. The dashed line is chance, "
        "1 of the test classes; the harmonic mean of gzsl has none.\n\n"
        "Grey numbers are the other rows: the table below names them.",
        f"Accuracy of {len(rows)} rows under {', '.join(heads.values())}, with chance as a dashed "
        "line.",
        ("number", "row", *heads.values()),
        [(None, "chance", *(chance[key] for key in order))]
        + [_cells(material, row, order) for row in rows],
    )


def draw_plane(material: Material) -> Figure:
    """Draw closeness against dispersion: one panel per data set, and one of the seen classes."""
    context = material.context
    seen = [f"seen_{s}" if context.per_split(s) else "seen.full" for s in context.primary]
    panels: dict[tuple[str, str], list[Row]] = {}
    for scope in dict.fromkeys([*context.primary, *seen]):
        pair = f"{scope}.closeness", f"{scope}.dispersion"
        if found := [row for row in material.rows if all(map(row.values.get, pair))]:
            panels[pair] = found
    if not panels:
        raise UserError(NOT_MEASURED)
    names = [_plane_name(key) for key, _ in panels]
    sheet = Sheet("plane", 0.7, len(panels), 2, per_line=2.9)
    for axes, (pair, rows), name in zip(sheet.axes, panels.items(), names, strict=True):
        for row in rows:
            x, y = map(row.spread, pair)
            assert x and y
            closeness, dispersion = map(row.text, pair)
            said = f"{row.name}: {row.label} · {name}\nC {closeness}, D {dispersion}"
            look = material.looks[row.name]
            sheet.point(axes, (x.mean, y.mean), look, said, row.label, (x.std, y.std))
        axes.set_title(name)
        axes.set_xlabel("closeness C (lower: closer)")
        axes.set_ylabel("dispersion D (higher: further)")
        axes.margins(0.08)
    sheet.legend()
    drawn = [row for row in material.rows if any(row in rows for rows in panels.values())]
    keys = [key for pair in panels for key in pair]
    return sheet.figure(
        "Closeness and dispersion",
        "A point is a row's mean; bars are one sample deviation over seeds or draws. C is the mean "
        "cosine distance of a video to its class, D the mean cosine distance of a class's mean "
        "video to the nearest other class. By the paper's reading, upper left is better and lower "
        "right worse; a row in the upper left can still be less accurate.\n\n"
        "Grey numbers are the other rows and the alternative readings: the table below names them. "
        "A row that scores pairs with a network of its own may have no closeness: its videos and "
        "classes do not share a space.",
        f"Closeness against dispersion of {len(drawn)} rows on {', '.join(names)}.",
        ("number", "row", *(f"{letter} {name}" for name in names for letter in ("C↓", "D↑"))),
        [
            (material.looks[row.name].cell, row.name, *(row.text(key) for key in keys))
            for row in drawn
        ],
    )


def _plane_name(scope: str) -> str:
    if scope.startswith("seen"):
        own = scope.removeprefix("seen_").split(".")[0]
        return "seen classes" if own == "seen" else f"seen classes of {own}"
    return _name(scope)


_HIGHEST = 0.3  # of τ
_LISTED = 150  # classes of the table
_Point = tuple[float, float, float | None, int]  # τ, mean, deviation, n


def draw_tau(material: Material) -> Figure:
    """Draw the classes kept against τ, and below it accuracy for every τ with records."""
    context = material.context
    stored = context.overlap()
    if stored is None:
        why = "run 'dvc repro'" if context.train else "no τ applies: it trains on no other data set"
        raise UserError(f"Profile {context.profile} has no overlap file; {why}")
    now = float(stored.tau)
    keys = [context.headline(scope) for scope in context.primary if not context.per_split(scope)]
    lines = {key: found for key in keys if (found := _tau_lines(material, key, now))}
    panels = 1 + len(lines)
    sheet = Sheet("tau", 2.5 + 1.8 * len(lines), panels, share=(True, False))
    axes = sheet.axes[0]
    taus = [round(float(tau), 4) for tau in np.linspace(0, _HIGHEST, 121)]
    distances = [float(one["distance"]) for one in stored.classes]
    kept = [sum(tau <= 0 or distance >= tau for distance in distances) for tau in taus]
    axes.step(taus, kept, where="post", color=INK, lw=1.4)
    axes.set_ylabel("training classes kept")
    axes.set_ylim(0, 1.08 * len(distances))
    count = f"{sum(one['kept'] for one in stored.classes)} of {len(distances)} classes"
    sheet.hover(f"τ = {now:g}: {count} are kept", axes.axvline(now, color=GREY, lw=1))
    for axes, (key, rows) in zip(sheet.axes[1:], lines.items(), strict=True):
        for place, (name, label, points) in enumerate(rows):
            look = material.looks.get(name, Look(marker="x"))
            aside = 0.001 * (place - (len(rows) - 1) / 2)
            axes.plot(*zip(*((p[0] + aside, p[1]) for p in points), strict=True), color=look.colour)
            for tau, mean, std, n in points:
                text = f"{number_text(mean, std, key)} (n = {n})"
                said = f"{label} · {key}, τ = {tau:g}\n{text}"
                sheet.point(axes, (tau + aside, mean), look, said, label, (None, std))
        axes.set_title(_name(key))
        axes.set_ylabel("percent")
    sheet.axes[-1].set_xlabel("τ (cosine distance of class vectors)")
    sheet.axes[-1].set_xlim(-0.006, _HIGHEST + 0.006)
    sheet.legend()
    near = sorted(stored.classes, key=lambda one: (one["distance"], one["class"]))
    near = [one for one in near if one["distance"] < _HIGHEST or not one["kept"]]
    more = f" The table lists the {_LISTED} nearest." if len(near) > _LISTED else ""
    swept = sorted({point[0] for found in lines.values() for one in found for point in one[2]})
    listed = ", ".join(f"{tau:g}" for tau in swept)
    measured = (
        f"Accuracy is measured at τ = {listed} (means; bars: one sample deviation; markers are "
        "slightly offset). It is the accuracy on the test classes: choosing τ by it is choosing "
        "on test data. A sweep over τ, saved in results/sweeps, adds values."
    )
    return sheet.figure(
        "The overlap exclusion τ",
        f"A class of {stored.train} is trained on if no test class of {', '.join(stored.test)} is "
        f"nearer than τ. At τ = {now:g}, the value of this profile (vertical line), {count} are "
        f"kept; at {_HIGHEST}, {kept[-1]} would be.{more}\n\n"
        + (measured if swept else "No accuracy is measured yet; run 'dvc repro'."),
        f"Training classes kept fall from {kept[0]} at τ = 0 to {kept[-1]} at τ = {_HIGHEST}; "
        f"accuracy is drawn at τ = {listed or 'none'}.",
        ("training class", "nearest test class", "data set", "distance", f"τ = {now:g}"),
        [
            (
                *(one["class"], one["nearest"], one["dataset"]),
                Number(max(0.0, one["distance"]), digits=3),
                "kept" if one["kept"] else "left out",
            )
            for one in near[:_LISTED]
        ],
    )


def _tau_lines(material: Material, key: str, now: float) -> list[tuple[str, str, list[_Point]]]:
    """Return (row, label, points): the profile's own records, and the saved sweeps over τ."""
    found: dict[str, tuple[str, dict[float, _Point]]] = {}
    for row in material.leading:
        if spread := row.spread(key):
            found[row.name] = (row.label, {now: (now, spread.mean, spread.std, spread.n)})
    for one in _swept(material):
        value, tau = one["metrics"].get(key), float(one["set"]["tau"])
        if value and value.get("n") and one["status"] in ("ok", "partial") and tau <= _HIGHEST:
            _, points = found.setdefault(one["row"], (one["label"], {}))
            points.setdefault(tau, (tau, value["mean"], value["std"], value["n"]))
    return [(name, label, sorted(points.values())) for name, (label, points) in found.items()]


def _swept(material: Material) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for file in sorted(material.layout.sweeps.glob("*.json")):
        value = SweepFile.read(file)
        if value and value.parameters == ["tau"]:
            config = load_config(material.layout.root, material.context.profile)
            rows += saved_sweep(config, material.layout, file.stem)["rows"]
    return rows
