"""What worker processes do with one video: measure it, or check that its frames are there."""

import hashlib
import os
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.data.video.decode import VideoError, iter_frames, measure_video

# Containers round: a header that says a frame or two more is no sign of a broken file.
TRUNCATED = 0.9


class Measurement(NamedTuple):
    """One video: decodable frames (0: unusable), frames a second, pixels as shown, a note.

    ``reason`` says why it is unusable, or what is odd about a usable one.
    """

    frames: int
    fps: float
    width: int
    height: int
    sha256: str
    reason: str


def measure_file(path: str, root: Path, sha256: bool = False) -> Measurement:
    """Decode all of ``root / path``; with ``sha256`` hash its bytes, too. Raises nothing."""
    file = root / path
    try:
        if file.is_file() and not file.stat().st_size:
            return Measurement(0, 0.0, 0, 0, "", "empty file")
        found = measure_video(file)
        hashed = _sha256(file) if sha256 else ""
    except VideoError as error:
        return Measurement(0, 0.0, 0, 0, "", error.reason)
    except OSError as error:
        return Measurement(0, 0.0, 0, 0, "", f"cannot be read: {error.strerror}")
    note = "one frame only" if found.frames == 1 else ""
    if found.frames < TRUNCATED * found.announced:
        note = f"truncated? its header says {found.announced} frames, {found.frames} decode"
    return Measurement(found.frames, found.fps, found.width, found.height, hashed, note)


def check_file(task: tuple[str, int, int], root: Path, seed: int) -> str:
    """Decode the first, the last and three random frames of a video; return what is wrong, or "".

    ``task`` is path, frames and bytes as a manifest has them. The random frames are drawn with
    ``seed`` and the path, so that each run looks at the same ones. Raises nothing.
    """
    path, frames, size = task
    rng = np.random.default_rng([seed, zlib.crc32(path.encode())])
    wanted = {0, frames - 1, *rng.integers(frames, size=3).tolist()}
    try:
        now = os.stat(root / path).st_size
        if now != size:
            return f"changed: {now} bytes, {size} in the manifest"
        for _ in iter_frames(root / path, wanted):
            pass
    except VideoError as error:
        return error.reason
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return ""


def _sha256(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
