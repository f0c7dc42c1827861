"""Shapes of the embedded world as signed distance fields, and the motions that move them."""

from functools import cache
from typing import NamedTuple

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


class Track(NamedTuple):
    """A shape's way through a clip: arrays [T], lengths in half-widths of the image, y down."""

    x: np.ndarray
    y: np.ndarray
    angle: np.ndarray
    scale: np.ndarray
    alpha: np.ndarray


def track_of(motion: str, frames: int, rng: np.random.Generator) -> Track:
    """Draw one track of ``motion``; eight consecutive frames of sixteen suffice to tell it.

    Angles are radians, ``scale`` is relative to the shape's radius, ``alpha`` is its visibility.
    """
    t = np.arange(frames, dtype=np.float64)
    zero = np.zeros(frames)
    way = (t / max(frames - 1, 1) - 0.5) * rng.uniform(0.85, 1.0)  # about -0.5 .. 0.5
    phase = rng.uniform(0, 2 * np.pi)
    side = rng.choice((-1.0, 1.0))
    x, y = zero + rng.uniform(-0.22, 0.22), zero + rng.uniform(-0.22, 0.22)
    angle = zero + rng.uniform(-0.3, 0.3)
    scale, alpha = zero + 1.0, zero + 1.0

    def wave(shortest: float, longest: float) -> np.ndarray:
        """Return the angle of an oscillation whose period in frames is drawn from the range."""
        return 2 * np.pi * t / rng.uniform(shortest, longest) + phase

    if motion == "bouncing":
        y = 0.55 - 1.05 * np.abs(np.sin(wave(10, 13)))
    elif motion == "spinning":
        angle = angle + side * wave(9, 13)
    elif motion == "sliding":
        x = side * 1.25 * way
    elif motion == "growing":
        scale = 2.6**way
    elif motion == "shrinking":
        scale = 2.6**-way
    elif motion == "falling":
        y = 1.25 * way
    elif motion == "rising":
        y = -1.25 * way
    elif motion == "shaking":
        x = x + 0.16 * np.sin(wave(2.6, 3.6))
        angle = angle + 0.12 * np.sin(wave(2.6, 3.6))
    elif motion == "swinging":
        lean = 0.62 * np.sin(wave(8, 10))
        x, y = x * 0.3 + 0.9 * np.sin(lean), -0.65 + 0.9 * np.cos(lean)
        angle = angle - 1.2 * lean
    elif motion == "blinking":
        alpha = (np.sin(wave(3.6, 5.0)) > 0).astype(np.float64)
    elif motion == "orbiting":
        turn = side * wave(8, 11)
        x, y = x * 0.4 + 0.5 * np.cos(turn), y * 0.4 + 0.5 * np.sin(turn)
    elif motion == "zigzagging":
        x = side * 1.15 * way
        y = y * 0.5 + 0.42 * (2 / np.pi) * np.arcsin(np.sin(wave(5.5, 7.5)))
    elif motion == "drifting":
        x, y = side * 0.6 * way, rng.choice((-1.0, 1.0)) * 0.6 * way
    elif motion == "tumbling":
        x, angle = side * 1.0 * way, angle + side * wave(9, 13)
    elif motion == "pulsing":
        scale = 1.0 + 0.3 * np.sin(wave(5, 8))
    elif motion == "circling":
        turn = side * wave(11, 15)
        x, y, angle = 0.5 * np.cos(turn), 0.3 * np.sin(turn), turn
    elif motion == "hopping":
        x, y = side * 1.1 * way, 0.4 - 0.5 * np.abs(np.sin(wave(8, 11)))
    elif motion != "resting":
        raise ValueError(f"no motion '{motion}' in the embedded world")
    return Track(x, y, angle, scale, alpha)
