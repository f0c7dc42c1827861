"""The shapes of the embedded world as signed distance fields, negative inside, radius about 1."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]

EXTENT = 1.6
"""The fields cover [-EXTENT, EXTENT] in both directions."""
CELLS = 160
"""Cells along each side of a field."""

# Where a dark dot sits on each shape, so that a turn of a symmetric shape can be seen.
MARKS = {"ring": (0.76, 0.0), "bar": (0.65, 0.0), "crescent": (-0.68, 0.0), "wedge": (0.6, 0.0)}
DEFAULT_MARK = (0.45, 0.0)


@cache
def field(shape: str) -> Field:
    """Return the signed distance field of ``shape``, float32 [CELLS, CELLS], rows down."""
    centre = (np.arange(CELLS) + 0.5) * (2 * EXTENT / CELLS) - EXTENT
    x, y = np.meshgrid(centre, centre)
    radius = np.hypot(x, y)
    if shape == "circle":
        distance = radius - 0.92
    elif shape == "ring":
        distance = np.abs(radius - 0.76) - 0.24
    elif shape == "crescent":
        distance = np.maximum(radius - 1.0, 0.8 - np.hypot(x - 0.5, y))
    else:
        distance = _polygon(_corners(shape), x, y)
    return np.asarray(distance, np.float32)


def _corners(shape: str) -> list[tuple[float, float]]:
    """Return the corners of a polygonal shape."""
    if shape == "square":
        return _box(0.82, 0.82)
    if shape == "bar":
        return _box(1.15, 0.3)
    if shape == "triangle":
        return _wheel([1.15] * 3, -np.pi / 2)
    if shape == "hexagon":
        return _wheel([1.0] * 6)
    if shape == "star":
        return _wheel([1.2, 0.48] * 5, -np.pi / 2)
    if shape == "cross":
        a, b = 0.33, 1.05
        return [
            *((-a, -b), (a, -b), (a, -a), (b, -a), (b, a), (a, a)),
            *((a, b), (-a, b), (-a, a), (-b, a), (-b, -a), (-a, -a)),
        ]
    if shape == "arrow":
        head, tail = 0.9, 0.27
        return [
            *((-1.15, -tail), (0.1, -tail), (0.1, -head), (1.15, 0.0)),
            *((0.1, head), (0.1, tail), (-1.15, tail)),
        ]
    if shape == "wedge":
        return [(-1.0, 0.0), (1.0, -0.75), (1.0, 0.75)]
    if shape == "letter":
        return [(-0.75, -1.0), (0.75, -1.0), (0.75, -0.5), (-0.2, -0.5), (-0.2, 1.0), (-0.75, 1.0)]
    if shape == "heart":
        s = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        y = 13 * np.cos(s) - 5 * np.cos(2 * s) - 2 * np.cos(3 * s) - np.cos(4 * s)
        return list(zip(np.sin(s) ** 3, (-y - 2) / 16, strict=True))
    raise ValueError(f"no shape '{shape}' in the embedded world")


def _box(a: float, b: float) -> list[tuple[float, float]]:
    return [(-a, -b), (a, -b), (a, b), (-a, b)]


def _wheel(radii: list[float], start: float = 0.0) -> list[tuple[float, float]]:
    angles = start + 2 * np.pi * np.arange(len(radii)) / len(radii)
    return [(r * np.cos(a), r * np.sin(a)) for r, a in zip(radii, angles, strict=True)]


def _polygon(corners: list[tuple[float, float]], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the signed distance to a polygon: nearest edge, sign by the even-odd rule."""
    nearest = np.full(x.shape, np.inf)
    inside = np.zeros(x.shape, bool)
    for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1], strict=True):
        ex, ey = bx - ax, by - ay
        along = np.clip(((x - ax) * ex + (y - ay) * ey) / (ex * ex + ey * ey), 0, 1)
        nearest = np.minimum(nearest, np.hypot(x - ax - along * ex, y - ay - along * ey))
        if ey:
            inside ^= ((ay > y) != (by > y)) & (x < ax + (y - ay) * ex / ey)
    return np.where(inside, -nearest, nearest)
