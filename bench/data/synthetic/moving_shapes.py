"""Videos of the embedded world: a bright moving shape over a dark, cluttered scene."""

import colorsys
import hashlib
from pathlib import Path

import numpy as np

from bench.data.synthetic.sprites import CELLS, DEFAULT_MARK, EXTENT, MARKS, Track, field, track_of
from bench.data.synthetic.vocabulary import VIDEOS_PER_CLASS, canonical, world_classes
from bench.data.video.encode import write_h264
from bench.utils.processes import spawned
from bench.utils.progress import track

MARGIN = 2
"""Pixels by which the camera may be off centre."""
MARK_RADIUS = 0.2
NOISE = 1
"""Largest value that a pixel's noise adds or takes away, in grey levels."""


def render(
    dataset: str, class_name: str, index: int, frames: int = 16, size: int = 48
) -> np.ndarray:
    """Return video ``index`` of a class of the embedded world as uint8 RGB [T, size, size, 3].

    Seeded by dataset, class name and index alone. Position, phase, speed, size, tilt, colour,
    background, blobs, noise and camera jitter vary. Raises ``ValueError`` for an unknown name.
    """
    shape, motion = canonical(class_name)
    seed = hashlib.sha256(f"{dataset}/{class_name}/{index}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(seed[:8], "big"))
    track = track_of(motion, frames, rng)
    radius = rng.uniform(0.36, 0.45) * size / 2
    steps = rng.choice((-1, 0, 0, 0, 1), (frames, 2))
    shifts = np.cumsum(steps, axis=0).clip(-MARGIN, MARGIN)
    cover, mark = _masks(shape, track, radius, shifts, size)
    colour = _colour(rng, (0.55, 1.0), (0.85, 1.0))
    scene = _scene(rng, size + 2 * MARGIN)
    video = np.empty((frames, 3, size, size), np.float32)
    for number, (dx, dy) in enumerate(shifts):
        top, left = MARGIN - dy, MARGIN - dx
        video[number] = scene[:, top : top + size, left : left + size]
    noise = np.frombuffer(rng.bytes(frames * size * size), np.uint8).reshape(frames, 1, size, size)
    video += (noise % (2 * NOISE + 1)).astype(np.float32) - NOISE
    cover = cover[:, None]
    video += cover * (colour[:, None, None] * (1 - 0.85 * mark[:, None]) - video)
    return np.ascontiguousarray(video.clip(0, 255).astype(np.uint8).transpose(0, 2, 3, 1))


def _masks(
    shape: str, track: Track, radius: float, shifts: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return how far each pixel is covered by the shape and by its mark, float32 [T, H, W]."""
    half, pixel = size / 2, np.arange(size, dtype=np.float32) + 0.5
    span = (radius * track.scale).astype(np.float32)[:, None]
    x = (pixel - (half * (1 + track.x) + shifts[:, 0])[:, None]).astype(np.float32) / span
    y = (pixel - (half * (1 + track.y) + shifts[:, 1])[:, None]).astype(np.float32) / span
    cos = np.cos(track.angle).astype(np.float32)[:, None]
    sin = np.sin(track.angle).astype(np.float32)[:, None]
    u = (cos * x)[:, None, :] + (sin * y)[:, :, None]
    v = (cos * y)[:, :, None] - (sin * x)[:, None, :]
    step = CELLS / (2 * EXTENT)
    column = ((u + EXTENT) * step).clip(0, CELLS - 1).astype(np.int32)
    row = ((v + EXTENT) * step).clip(0, CELLS - 1).astype(np.int32)
    distance = field(shape).ravel()[row * CELLS + column]
    width = span[:, :, None]
    cover = (0.5 - distance * width).clip(0, 1) * track.alpha.astype(np.float32)[:, None, None]
    mark_u, mark_v = MARKS.get(shape, DEFAULT_MARK)
    dot = np.sqrt((u - mark_u) ** 2 + (v - mark_v) ** 2) - MARK_RADIUS
    return cover, (0.5 - dot * width).clip(0, 1)


def _scene(rng: np.random.Generator, size: int) -> np.ndarray:
    """Return a dark textured background with 0 to 2 soft blobs, float32 [3, size, size]."""
    coarse = rng.uniform(-14, 14, (6, 6))
    where = np.linspace(0, 5, size)
    low = np.minimum(where.astype(int), 4)
    weight = np.zeros((size, 6))
    weight[np.arange(size), low] = 1 - (where - low)
    weight[np.arange(size), low + 1] = where - low
    scene = _colour(rng, (0.0, 0.6), (0.1, 0.28))[:, None, None] + weight @ coarse @ weight.T
    unit = np.linspace(-1, 1, size)
    for _ in range(rng.integers(0, 3)):
        x, y, spread = *rng.uniform(-0.9, 0.9, 2), rng.uniform(0.12, 0.25)
        hump = np.exp(-((unit - y) ** 2)[:, None] / spread**2) * np.exp(
            -((unit - x) ** 2) / spread**2
        )
        scene += hump * _colour(rng, (0.3, 1.0), (0.2, 0.4))[:, None, None]
    return np.asarray(scene, np.float32)


def _colour(
    rng: np.random.Generator, saturation: tuple[float, float], value: tuple[float, float]
) -> np.ndarray:
    """Draw an RGB colour of any hue, float32 [3], 0 to 255."""
    colour = colorsys.hsv_to_rgb(rng.random(), rng.uniform(*saturation), rng.uniform(*value))
    return 255 * np.array(colour, np.float32)


__all__ = ["build_world", "render", "world_classes"]

Video = tuple[Path, str, str, int]

# decord takes 48 pixels of 3 bytes, padded to a multiple of 64 bytes, for 4 bytes a pixel.
SIZE = 56
"""Height and width of the files, in pixels."""


def build_world(root: Path, jobs: int = 2) -> None:
    """Write every video of the embedded world that ``root`` lacks, with ``jobs`` processes.

    2,640 files ``root/<dataset>/<class_name>/<index>.mp4`` (spaces as ``_``, index from ``000``).
    A file that is there is whole, so it is kept and an interrupted build goes on where it was.
    """
    missing = [video for video in _videos(root) if not video[0].exists()]
    if jobs <= 1 or len(missing) < 64:
        for video in track(missing, len(missing), "embedded world"):
            _write(video)
        return
    with spawned(jobs) as pool:
        for _ in track(pool.map(_write, missing, chunksize=24), len(missing), "embedded world"):
            pass


def _videos(root: Path) -> list[Video]:
    return [
        (root / dataset / name.replace(" ", "_") / f"{index:03d}.mp4", dataset, name, index)
        for dataset, names in world_classes().items()
        for name in names
        for index in range(VIDEOS_PER_CLASS[dataset])
    ]


def _write(video: Video) -> None:
    path, dataset, name, index = video
    write_h264(path, render(dataset, name, index, size=SIZE))
