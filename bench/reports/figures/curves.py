"""Training curves: each named part of the loss, mean and range over seeds or draws."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from bench.reports.figures.drawing import GREY, INK, NOT_MEASURED, PALETTE, Sheet, not_drawn, short
from bench.reports.figures.material import Material
from bench.reports.figures.training_runs import Floats, no_runs_message, runs_of
from bench.reports.report_model import Figure
from bench.reports.tables.rows import Row
from bench.reports.tables.typed_table import Counts, Number, Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KEY = "curves"
TITLE = "Training curves"
_NO_LOSS = ("step", "lr", "loss")
_FLOOR = "_floor"
_DASHES = ("-", "--", "-.", ":", (0, (3, 1, 1, 1, 1, 1)))


def draw(material: Material) -> Figure:
    """Return one panel a row: the leading ones and the one of the single-row figures.

    UserError for damaged files in runs/.
    """
    wanted = {row.name: row for row in material.leading}
    if material.row is not None:
        wanted.setdefault(material.row.name, material.row)
    if not wanted:
        return not_drawn(KEY, TITLE, NOT_MEASURED)
    found = {name: _logs(material, row) for name, row in wanted.items()}
    found = {name: parts for name, parts in found.items() if parts}
    if not found:
        return not_drawn(KEY, TITLE, no_runs_message(material.layout, next(iter(wanted))))
    columns = min(3, len(found))
    lines = -(-len(found) // columns)
    sheet = Sheet(KEY, 7.2 if columns > 1 else 4.6, 0.9 + 2.2 * lines, (lines, columns))
    names = list(
        dict.fromkeys(part for parts in found.values() for part in parts if part != "step")
    )
    for axes, (name, parts) in zip(sheet.axes, found.items(), strict=False):
        _panel(sheet, axes, parts, names)
        axes.set_title(short(wanted[name].label, 26))
        axes.set_xlabel("step")
    for axes in sheet.axes[len(found) :]:
        axes.set_axis_off()
    sheet.axes[0].set_ylabel("loss")
    sheet.legend(columns=5)
    return sheet.figure(
        TITLE,
        "Each named part of the loss as it was logged, mean over the trainings in runs/ with their "
        "range as a band. Parts of different rows have different scales: compare the shape."
        + _floors([part for part in names if part.endswith(_FLOOR)]),
        f"Parts of the loss against steps for {', '.join(wanted[name].label for name in found)}.",
        ("row", "part", "first logged", "last logged", "range of the last", "n"),
        [
            _line(wanted[name], part, values)
            for name, parts in found.items()
            for part, values in parts.items()
            if part != "step"
        ],
    )


def _floors(parts: list[str]) -> str:
    if not parts:
        return ""
    of = " and ".join(part.removesuffix(_FLOOR) for part in parts)
    return (
        f" {' and '.join(parts)}: what {of} would be if both sides were perfectly aligned; what "
        "lies below it was won otherwise."
    )


def _logs(material: Material, row: Row) -> Mapping[str, Floats]:
    """Return part -> values [n, steps] of the logs that have the same steps; "step" too."""
    logs = [log for run in runs_of(material.layout, row.records) if (log := run.log())]
    if not logs or "step" not in logs[0]:
        return {}
    logs = [log for log in logs if log.keys() == logs[0].keys() and log["step"] == logs[0]["step"]]
    parts = [name for name in logs[0] if name not in _NO_LOSS and not name.startswith("cos_")]
    return {name: np.array([log[name] for log in logs]) for name in ("step", *(parts or ["loss"]))}


def _panel(sheet: Sheet, axes: "Axes", parts: Mapping[str, Floats], names: list[str]) -> None:
    steps = parts["step"][0]
    plain = [name for name in names if not name.endswith(_FLOOR)]
    for name, values in parts.items():
        if name == "step":
            continue
        floor = name.endswith(_FLOOR)
        at = plain.index(name.removesuffix(_FLOOR)) if name.removesuffix(_FLOOR) in plain else 0
        colour = INK if floor else PALETTE[at] if at < len(PALETTE) else GREY
        dash = (0, (1, 1.5)) if floor else _DASHES[at % len(_DASHES)]
        mean = values.mean(0)
        line = axes.plot(steps, mean, color=colour, ls=dash, lw=1.3, label=name)
        axes.fill_between(steps, values.min(0), values.max(0), color=colour, alpha=0.2, lw=0)
        sheet.hover(f"{name}: {mean[0]:.2f} → {mean[-1]:.2f} (n = {len(values)})", *line)
    axes.set_ylim(bottom=0 if min(values.min() for values in parts.values()) >= 0 else None)


def _line(row: Row, part: str, values: Floats) -> tuple[Value, ...]:
    mean, last = values.mean(0), values[:, -1]
    ends = f"{last.min():.3f} to {last.max():.3f}"
    logged = (Number(float(one), digits=3) for one in (mean[0], mean[-1]))
    return row.label, part, *logged, ends, Counts.of(len(values))
