"""Accuracy against the number of test classes, protocol by protocol, with chance as a line."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.evaluation.statistics import Spread
from bench.reports.figures.drawing import GREY, INK, NOT_MEASURED, Sheet, not_drawn, place, short
from bench.reports.figures.material import Material
from bench.reports.report_model import Figure
from bench.reports.tables.rows import Row
from bench.reports.tables.typed_table import Number, Value, number_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KEY = "accuracy"
TITLE = "Accuracy against the number of test classes"


def draw(material: Material) -> Figure:
    """Return one panel per data set, with its protocols along x by number of test classes."""
    context = material.context
    panels = {name: _scopes(material, name) for name in context.tests}
    panels = {name: scopes for name, scopes in panels.items() if scopes}
    if not panels:
        return not_drawn(KEY, TITLE, NOT_MEASURED)
    width = max(4.2, min(7.2, 1.6 + 1.6 * sum(map(len, panels.values()))))
    sheet = Sheet(KEY, width, 4.4, (1, len(panels)), (False, True))
    for axes, (name, scopes) in zip(sheet.axes, panels.items(), strict=True):
        _panel(material, sheet, axes, scopes)
        axes.set_title(name)
    sheet.axes[0].set_ylabel("percent")
    sheet.axes[0].set_ylim(0, min(100.0, sheet.axes[0].get_ylim()[1]))
    sheet.legend(columns=2 if width < 6 else 3)
    for axes, scopes in zip(sheet.axes, panels.values(), strict=True):
        place(sheet, axes, *_numbers(material, scopes), size=6.5)
    found = [scope for scopes in panels.values() for scope in scopes]
    harmonic = any(context.headline(scope).endswith("harmonic") for scope in found)
    return sheet.figure(
        TITLE,
        "Mean over seeds or draws, each row beside the others; thin bars of the marked rows are "
        "one sample deviation. Fewer test classes are easier, whatever the model: compare rows "
        "within a protocol, never across. The dashed line is chance, 1 of the test classes"
        + ("; the harmonic mean of gzsl has none." if harmonic else ".")
        + "\n\nGrey dots are the other rows, by their number in the table.",
        f"Accuracy of {len(material.own)} rows under "
        + ", ".join(f"{scope} ({_classes(material, scope)} classes)" for scope in found)
        + ", with chance as a dashed line.",
        (
            "number",
            "row",
            *(f"{s.replace('.', ' · ')} ({_classes(material, s)} classes)" for s in found),
        ),
        [(None, "chance", *(_chance(material, s) for s in found))]
        + [_line(material, row, found) for row in material.own],
    )


def _scopes(material: Material, name: str) -> list[str]:
    """Return the measured ``<data set>.<protocol>``, sorted by number of classes."""
    context = material.context
    scopes = [f"{name}.{protocol}" for protocol in context.tests[name]]
    measured = [
        s for s in scopes if any(row.values.get(context.headline(s)) for row in material.own)
    ]
    return sorted(measured, key=lambda scope: _size(material, scope))


def _size(material: Material, scope: str) -> int:
    """Return the number of candidate classes of a test video; 1 without the split file."""
    inside, _ = material.context.split_sizes(scope)
    return inside


def _classes(material: Material, scope: str) -> str:
    size = _size(material, scope)
    return str(size) if size > 1 else "?"


def _chance(material: Material, scope: str) -> Number | None:
    """Return the percent of chance; none of a harmonic mean, or without the split file."""
    size = _size(material, scope)
    none = size < 2 or material.context.headline(scope).endswith("harmonic")
    return None if none else Number(100 / size)


def _panel(material: Material, sheet: Sheet, axes: "Axes", scopes: Sequence[str]) -> None:
    context, rows = material.context, material.own
    leading = [row for row in rows if material.looks[row.name].colour != GREY]
    order = [*(row for row in rows if row not in leading), *leading]  # grey points go below
    for row in order:
        look, slot = material.looks[row.name], _slot(rows, row)
        for at, scope in enumerate(scopes):
            found = row.spread(key := context.headline(scope))
            if found is None:
                continue
            x, marked = at + slot, row in leading
            point = axes.plot(
                x, found.mean, look.marker, color=look.colour, ms=5.5 if marked else 7,
                label=short(row.label) if marked else "_", zorder=3 if marked else 2, clip_on=False,
            )  # fmt: skip
            bar = []
            if found.std is not None and marked:
                ends = (found.mean - found.std, found.mean + found.std)
                bar = axes.plot((x, x), ends, color=look.colour, lw=1.2)
            sheet.hover(_said(row, key, found), *bar, *point)
    for at, scope in enumerate(scopes):
        if chance := _chance(material, scope):
            line = axes.plot(
                (at - 0.45, at + 0.45),
                (float(chance.mean),) * 2,
                "--",
                color=INK,
                lw=1,
                label="chance",
            )
            sheet.hover(f"chance: {chance} %, 1 of {_classes(material, scope)} classes", *line)
    ticks = [f"{scope.split('.')[1]}\n{_classes(material, scope)} classes" for scope in scopes]
    axes.set_xticks(range(len(scopes)), ticks)
    axes.set_xlim(-0.5, len(scopes) - 0.5)
    axes.grid(False, axis="x")


def _slot(rows: Sequence[Row], row: Row) -> float:
    """Return the horizontal offset of a row from the middle of its protocol."""
    return 0.76 * (rows.index(row) + 0.5) / len(rows) - 0.38


def _numbers(
    material: Material, scopes: Sequence[str]
) -> tuple[list[tuple[float, float, str]], list[tuple[float, float]]]:
    """Return the numbers of the grey rows with their points, and the points of the others."""
    labels, others = [], []
    for row in material.own:
        for at, scope in enumerate(scopes):
            if found := row.spread(material.context.headline(scope)):
                x, number = at + _slot(material.own, row), material.looks[row.name].number
                labels += [(x, found.mean, number)] if number else []
                others += [] if number else [(x, found.mean)]
    return labels, others


def _said(row: Row, key: str, found: Spread) -> str:
    text = number_text(found.mean, found.std, key)
    return f"{row.label} · {key}\n{text} (n = {found.n} {row.repeats(key)})"


def _line(material: Material, row: Row, scopes: Sequence[str]) -> tuple[Value, ...]:
    cells: list[Value] = []
    for scope in scopes:
        found = row.spread(key := material.context.headline(scope))
        cells.append(
            f"{number_text(found.mean, found.std, key)} (n = {found.n})" if found else None
        )
    return (material.looks[row.name].cell, row.label, *cells)
