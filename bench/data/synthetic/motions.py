"""The motions of the embedded world: where a shape is, how turned, how large, at each frame."""

from typing import NamedTuple

import numpy as np


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
