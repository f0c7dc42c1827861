"""Small labels beside points, moved aside where they would cover each other."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from bench.reports.page.figure_style import INK, Sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Box = tuple[float, float, float, float]  # left, low, right, high; points of 1/72 inch
_RADII = (5.0, 11.0, 18.0, 26.0, 36.0)
_ANGLES = tuple(math.radians(degrees) for degrees in (35, -35, 145, -145, 90, -90, 0, 180))
_FAR = 10.0  # from here on a thin line leads from the point to its label


def place(
    sheet: Sheet,
    axes: "Axes",
    labels: Sequence[tuple[float, float, str]],
    taken: Sequence[tuple[float, float]] = (),
    size: float = 7.0,
) -> None:
    """Write each (x, y, text) near its point, clear of the ``taken`` points and of each other.

    A label for which there is no room within half an inch is left out: its point has a hover.
    """
    sheet.lay_out()
    box = axes.get_window_extent()
    scale = 72 / sheet.dpi
    frame: Box = (box.x0 * scale, box.y0 * scale, box.x1 * scale, box.y1 * scale)

    def at(x: float, y: float) -> tuple[float, float]:
        across, up = axes.transData.transform((x, y)) * scale
        return float(across), float(up)

    dots = [at(x, y) for x, y in (*taken, *((x, y) for x, y, _ in labels))]
    full: list[Box] = [(x - 2.5, y - 2.5, x + 2.5, y + 2.5) for x, y in dots]
    for x, y, text in labels:
        here = at(x, y)
        for radius, (left, low) in _places(here, width := 0.56 * size * len(text), size):
            label: Box = (left, low, left + width, low + size)
            if _within(label, frame) and not any(_meet(label, other) for other in full):
                full.append(label)
                _write(axes, (x, y), text, (left - here[0], low - here[1]), size, radius >= _FAR)
                break


def _places(
    here: tuple[float, float], width: float, height: float
) -> Iterator[tuple[float, tuple[float, float]]]:
    """Yield (distance, lower left corner) of a label around a point, the nearest first."""
    for radius in _RADII:
        for angle in _ANGLES:
            across, up = math.cos(angle), math.sin(angle)
            left = here[0] + radius * across - width * (1 - across) / 2
            yield radius, (left, here[1] + radius * up - height * (1 - up) / 2)


def _within(box: Box, frame: Box) -> bool:
    return (
        box[0] >= frame[0] and box[1] >= frame[1] and box[2] <= frame[2] + 4 and box[3] <= frame[3]
    )


def _meet(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _write(
    axes: "Axes",
    point: tuple[float, float],
    text: str,
    offset: tuple[float, float],
    size: float,
    led: bool,
) -> None:
    line = {"arrowstyle": "-", "lw": 0.4, "color": INK, "alpha": 0.5, "shrinkA": 0, "shrinkB": 2}
    axes.annotate(
        text, point, offset, textcoords="offset points", fontsize=size, va="bottom", ha="left",
        arrowprops=line if led else None, annotation_clip=False,
    ).set_in_layout(False)  # fmt: skip
