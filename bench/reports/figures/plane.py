"""The closeness–dispersion plane: how close videos are to their class, how far apart classes."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.reports.figures.drawing import GREY, NOT_MEASURED, Sheet, not_drawn, place, short
from bench.reports.figures.material import Material
from bench.reports.report_model import Figure
from bench.reports.tables.rows import Row
from bench.reports.tables.typed_table import Value, number_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KEY = "plane"
TITLE = "Closeness and dispersion"


def draw(material: Material) -> Figure:
    """Return one panel per data set, and one of the seen classes."""
    context = material.context
    seen = [f"seen_{s}" if context.per_split(s) else "seen.full" for s in context.primary]
    scopes = [s for s in dict.fromkeys([*context.primary, *seen]) if _rows(material, s)]
    if not scopes:
        return not_drawn(KEY, TITLE, NOT_MEASURED)
    columns = min(2, len(scopes))
    lines = -(-len(scopes) // columns)
    sheet = Sheet(KEY, 7.2, 0.7 + 2.9 * lines, (lines, columns))
    for axes, scope in zip(sheet.axes, scopes, strict=False):
        for row in _rows(material, scope):
            _point(material, sheet, axes, row, scope)
        axes.set_title(_name(scope))
        axes.set_xlabel("closeness C (lower: closer)")
        axes.set_ylabel("dispersion D (higher: further)")
        axes.margins(0.08)
    for axes in sheet.axes[len(scopes) :]:
        axes.set_axis_off()
    sheet.legend()
    for axes, scope in zip(sheet.axes, scopes, strict=False):
        _numbers(material, sheet, axes, scope)
    drawn = [row for row in material.rows if any(row in _rows(material, s) for s in scopes)]
    return sheet.figure(
        TITLE,
        "A point is a row's mean; bars are one sample deviation over seeds or draws. C is the mean "
        "cosine distance of a video to its class, D the mean cosine distance of a class's mean "
        "video to the nearest other class. Lower right is worse, upper left better, by the "
        "paper's reading; a row may have both and still be less accurate.\n\n"
        "Grey dots are the other rows, by their number in the table; a ring is an alternative "
        "reading. A row that scores pairs with a network of its own may have no closeness: its "
        "videos and classes do not share a space.",
        f"Closeness against dispersion of {len(drawn)} rows on {', '.join(map(_name, scopes))}.",
        ("number", "row", *(f"{m} {_name(s)}" for s in scopes for m in ("C", "D"))),
        [_line(material, row, scopes) for row in drawn],
    )


def _rows(material: Material, scope: str) -> list[Row]:
    return [
        r for r in material.rows if r.values.get(_keys(scope)[0]) and r.values.get(_keys(scope)[1])
    ]


def _keys(scope: str) -> tuple[str, str]:
    return f"{scope}.closeness", f"{scope}.dispersion"


def _name(scope: str) -> str:
    if scope.startswith("seen"):
        own = scope.removeprefix("seen_").split(".")[0]
        return "seen classes" if own == "seen" else f"seen classes of {own}"
    return scope.replace(".", " · ")


def _point(material: Material, sheet: Sheet, axes: "Axes", row: Row, scope: str) -> None:
    x, y = (row.spread(key) for key in _keys(scope))
    assert x and y
    look = material.looks[row.name]
    marked = look.colour != GREY
    left, low = (one.mean - (one.std or 0) for one in (x, y))
    right, high = (one.mean + (one.std or 0) for one in (x, y))
    bars = axes.plot(  # one line with a gap
        (left, right, math.nan, x.mean, x.mean), (y.mean, y.mean, math.nan, low, high),
        color=look.colour, lw=1.2 if marked else 0.6, zorder=2,
    )  # fmt: skip
    marker, fill = ("o", "none") if row.is_variant else (look.marker, look.colour)
    point = axes.plot(
        x.mean, y.mean, marker, color=look.colour, markerfacecolor=fill, zorder=3,
        ms=6 if marked else 3.5 if row.is_variant else 7,
        label=short(row.label) if marked else "_",
    )  # fmt: skip
    texts = (
        number_text(one.mean, one.std, key) for one, key in zip((x, y), _keys(scope), strict=True)
    )
    said = "C {}, D {}".format(*texts)
    n = f"n = {x.n} {row.repeats(_keys(scope)[0])}"
    sheet.hover(f"{row.name}: {row.label} · {_name(scope)}\n{said} ({n})", *bars, *point)


def _numbers(material: Material, sheet: Sheet, axes: "Axes", scope: str) -> None:
    """Put the numbers of the grey rows beside their points."""
    means = [[row.spread(key) for key in _keys(scope)] for row in _rows(material, scope)]
    at = [(x.mean, y.mean) for x, y in means if x and y]
    numbers = [material.looks[row.name].number for row in _rows(material, scope)]
    labels = [(x, y, number) for (x, y), number in zip(at, numbers, strict=True) if number]
    place(sheet, axes, labels, [one for one, number in zip(at, numbers, strict=True) if not number])


def _line(material: Material, row: Row, scopes: Sequence[str]) -> tuple[Value, ...]:
    cells: list[Value] = []
    for key in (key for scope in scopes for key in _keys(scope)):
        found = row.spread(key)
        cells.append(
            f"{number_text(found.mean, found.std, key)} (n = {found.n})" if found else None
        )
    return (material.looks[row.name].cell, row.name, *cells)
