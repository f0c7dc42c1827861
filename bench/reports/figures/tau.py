"""The overlap exclusion: training classes kept as τ grows, and accuracy where it was measured."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.config.profile import load_config
from bench.data.formats.overlap_file import OverlapFile
from bench.data.splits.overlap import Nearest
from bench.experiments.saved_sweeps import SweepFile, saved_sweep
from bench.reports.figures.drawing import GREY, INK, Look, Sheet, not_drawn, short
from bench.reports.figures.material import Material
from bench.reports.report_model import Figure
from bench.reports.tables.typed_table import Number, number_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KEY = "tau"
TITLE = "The overlap exclusion τ"
HIGHEST = 0.3
LISTED = 150  # classes of the table
Point = tuple[float, float, float | None, int]  # τ, mean, deviation, n


def draw(material: Material) -> Figure:
    """Return classes kept against τ, and below it accuracy for every τ with records."""
    context = material.context
    stored = context.overlap()
    if stored is None:
        why = "run 'dvc repro'" if context.train else "no τ applies: it trains on no other data set"
        return not_drawn(KEY, TITLE, f"Profile {context.profile} has no overlap file; {why}.")
    keys = [context.headline(scope) for scope in context.primary if not context.per_split(scope)]
    lines = {key: _lines(material, key, float(stored.tau)) for key in keys}
    lines = {key: found for key, found in lines.items() if found}
    sheet = Sheet(KEY, 7.2, 2.5 + 1.8 * len(lines), (1 + len(lines), 1), (True, False))
    kept = _kept(sheet, sheet.axes[0], stored)
    for axes, (key, rows) in zip(sheet.axes[1:], lines.items(), strict=True):
        _accuracy(material, sheet, axes, key, rows)
    sheet.axes[-1].set_xlabel("τ (cosine distance of class vectors)")
    sheet.axes[-1].set_xlim(-0.006, HIGHEST + 0.006)
    sheet.legend()
    near = sorted(stored.classes, key=lambda one: (one["distance"], one["class"]))
    near = [one for one in near if one["distance"] < HIGHEST or not one["kept"]]
    more = f" The table lists the {LISTED} nearest." if len(near) > LISTED else ""
    swept = sorted({point[0] for found in lines.values() for one in found for point in one[2]})
    return sheet.figure(
        TITLE,
        f"A class of {stored.train} is trained on if no test class of "
        f"{', '.join(stored.test)} is nearer than τ. At τ = {stored.tau:g}, the value of "
        f"this profile (vertical line), {_count(stored.classes)} are kept; at {HIGHEST}, "
        f"{kept[-1]} would be.{more}\n\n{_measured(swept)}",
        f"Training classes kept fall from {kept[0]} at τ = 0 to {kept[-1]} at τ = {HIGHEST}; "
        f"accuracy is drawn at τ = {', '.join(f'{tau:g}' for tau in swept) or 'none'}.",
        ("training class", "nearest test class", "data set", "distance", f"τ = {stored.tau:g}"),
        [
            (
                *(one["class"], one["nearest"], one["dataset"]),
                Number(max(0.0, one["distance"]), digits=3),
                "kept" if one["kept"] else "left out",
            )
            for one in near[:LISTED]
        ],
    )


def _count(classes: Sequence[Mapping[str, Any]]) -> str:
    return f"{sum(one['kept'] for one in classes)} of {len(classes)} classes"


def _kept(sheet: Sheet, axes: "Axes", stored: OverlapFile) -> list[int]:
    """Draw how many classes each τ keeps, and mark the profile's τ."""
    classes = [
        Nearest(one["class"], one["nearest"], one["dataset"], float(one["distance"]))
        for one in stored.classes
    ]
    taus = [round(float(tau), 4) for tau in np.linspace(0, HIGHEST, 121)]
    kept = [sum(one.kept(tau) for one in classes) for tau in taus]
    axes.step(taus, kept, where="post", color=INK, lw=1.4)
    axes.set_ylabel("training classes kept")
    axes.set_ylim(0, 1.08 * len(classes))
    now = float(stored.tau)
    line = axes.axvline(now, color=GREY, lw=1)
    sheet.hover(f"τ = {now:g}: {_count(stored.classes)} are kept", line)
    return kept


def _lines(material: Material, key: str, now: float) -> list[tuple[str, str, list[Point]]]:
    """Return (row, label, points): the profile's own records, and the saved sweeps over τ."""
    found: dict[str, tuple[str, dict[float, Point]]] = {}
    for row in material.leading:
        if spread := row.spread(key):
            point = (now, spread.mean, spread.std, spread.n)
            found[row.name] = (row.label, {now: point})
    for one in _swept(material):
        value, tau = one["metrics"].get(key), float(one["set"]["tau"])
        if value and value.get("n") and one["status"] in ("ok", "partial") and tau <= HIGHEST:
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


def _accuracy(
    material: Material,
    sheet: Sheet,
    axes: "Axes",
    key: str,
    rows: Sequence[tuple[str, str, list[Point]]],
) -> None:
    for place, (name, label, points) in enumerate(rows):
        look = material.looks.get(name, Look(marker="x"))
        aside = 0.001 * (place - (len(rows) - 1) / 2)
        line = [(tau + aside, mean) for tau, mean, *_ in points]
        axes.plot(*zip(*line, strict=True), color=look.colour, lw=1)
        for tau, mean, std, n in points:
            dot = axes.plot(
                tau + aside, mean, look.marker, color=look.colour, ms=5, label=short(label)
            )
            ends = (mean - (std or 0), mean + (std or 0))
            bar = axes.plot((tau + aside,) * 2, ends, color=look.colour, lw=1)
            said = number_text(mean, std, key)
            sheet.hover(f"{label} · {key}, τ = {tau:g}\n{said} (n = {n})", *bar, *dot)
    axes.set_title(key.rpartition(".")[0].replace(".", " · "))
    axes.set_ylabel("percent")


def _measured(taus: Sequence[float]) -> str:
    if not taus:
        return "No accuracy is measured yet; run 'dvc repro', then 'bench report'."
    if len(taus) == 1:
        return (
            f"Accuracy was measured at τ = {taus[0]:g} only (means; bars: one sample deviation); "
            "a sweep over τ, saved in results/sweeps, adds the others."
        )
    return (
        f"Accuracy is measured at τ = {', '.join(f'{tau:g}' for tau in taus)} (means, bars are one "
        "sample deviation; markers are slightly offset). All of it is on the test "
        "classes: to choose τ by it is to choose on test data."
    )
