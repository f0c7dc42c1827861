"""Moving pictures for benchmarks without videos, for codecs about as hard as filmed ones.

At 112×112 JPEG files of them took 12 % more than those of 28 filmed videos.
"""

import numpy as np

from bench.data.video.decode import Pixels


def texture(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Return float [h,w,3] with about the spectrum of photographs, and pale colours."""
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    radius[0, 0] = np.inf

    def plane(spread: float) -> np.ndarray:
        noise = rng.normal(size=radius.shape) + 1j * rng.normal(size=radius.shape)
        made = np.fft.irfft2(noise / radius**1.3, (height, width))
        scaled: np.ndarray = spread * made / made.std()
        return scaled

    light = plane(50)
    return np.stack([110 + light + plane(12) for _ in range(3)], -1)


def moving(
    rng: np.random.Generator, frames: int, height: int = 240, width: int = 320, fps: int = 25
) -> Pixels:
    """Return uint8 [T,h,w,3]: a texture that pans, and discs of other textures that cross it."""
    ground, cover = (texture(rng, 2 * height, 2 * width) for _ in range(2))
    speed = rng.uniform(-2, 2, 2)
    discs = [(rng.uniform(20, 60), rng.uniform(0, 1, 2), rng.uniform(0.1, 0.4)) for _ in range(3)]
    rows, columns = np.mgrid[:height, :width]
    made = np.empty((frames, height, width, 3), np.uint8)
    for t in range(frames):
        down, right = (int(v) for v in t * speed)
        frame = np.roll(ground, (down, right), (0, 1))[:height, :width].copy()
        for radius, phase, rate in discs:
            turn = 2 * np.pi * (phase + rate * t / fps)
            y, x = height / 2 * (1 + np.sin(turn[0])), width / 2 * (1 + np.sin(turn[1]))
            inside = (rows - y) ** 2 + (columns - x) ** 2 < radius**2
            frame[inside] = np.roll(cover, (int(y), int(x)), (0, 1))[:height, :width][inside]
        made[t] = frame.clip(0, 255)
    return made
