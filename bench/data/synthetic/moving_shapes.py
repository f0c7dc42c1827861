"""The videos of the embedded world: moving shapes, drawn from signed distance fields."""

import colorsys
import hashlib
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.bitstream import BitStreamFilterContext
from numpy.typing import NDArray

from bench.data.synthetic.corpus import VIDEOS_PER_CLASS, canonical, world_classes
from bench.utils.io import replacing
from bench.utils.terminal import track
from bench.utils.worker_pool import spawned

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
    """The path of a shape in a clip: arrays [T], lengths in half-widths of the image, y down."""

    x: np.ndarray
    y: np.ndarray
    angle: np.ndarray
    scale: np.ndarray
    alpha: np.ndarray


def track_of(motion: str, frames: int, rng: np.random.Generator) -> Track:
    """Draw one track of ``motion``; eight consecutive frames of sixteen suffice to recognise it.

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


# On 48x48 clips, crf 18 doubles the size and only lowers the mean error from 3.2 to 2.7 levels.
CODEC_OPTIONS = {"crf": "25", "preset": "veryfast", "x264-params": "threads=1:rc-lookahead=0"}
SEI = 6
"""The H.264 unit type that carries x264's banner."""


def write_h264(path: Path, frames: np.ndarray, fps: int = 8) -> None:
    """Encode uint8 RGB ``frames`` [T, H, W, 3] to an mp4 at ``path``, completely or not at all.

    The same frames give the same bytes: yuv420p, one thread, no date, no encoder banner (0.7 kB, a
    fifth of a small file). H and W must be even and T at least 1 (``ValueError``).
    """
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3 or len(frames) == 0:
        raise ValueError(f"{path}: want uint8 [T, H, W, 3], not {frames.dtype} {frames.shape}")
    height, width = frames.shape[1:3]
    if height % 2 or width % 2:
        raise ValueError(f"{path}: yuv420p wants an even size, not {width}x{height}")
    with (
        replacing(path) as part,
        av.open(str(part), "w", format="mp4", options={"fflags": "+bitexact"}) as container,
    ):
        stream = container.add_stream("libx264", rate=fps, options=CODEC_OPTIONS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.thread_count = 1
        container.start_encoding()  # opens the codec, whose parameters the filter needs
        without_banner = BitStreamFilterContext(f"filter_units=remove_types={SEI}", stream)
        for image in (*_images(frames, fps), None):  # None flushes the encoder
            for packet in stream.encode(image):
                container.mux(without_banner.filter(packet))
        container.mux(without_banner.filter(None))


def _images(frames: np.ndarray, fps: int) -> Iterator[av.VideoFrame]:
    for number, pixels in enumerate(frames):
        image = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        image.pts, image.time_base = number, Fraction(1, fps)
        yield image


MARGIN = 2
"""Pixels by which the camera may be off centre."""
MARK_RADIUS = 0.2
NOISE = 1
"""Largest value that a pixel's noise adds or takes away, in grey levels."""


def render(
    dataset: str, class_name: str, index: int, frames: int = 16, size: int = 48
) -> np.ndarray:
    """Return video ``index`` of a class of the embedded world as uint8 RGB [T, size, size, 3].

    Seeded only by data set, class name and index. Position, phase, speed, size, tilt, colour,
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
    """Write the videos of the embedded world that are missing in ``root``, with ``jobs`` processes.

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
