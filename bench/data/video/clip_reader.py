"""Which frames make a clip, and how frames become the network's input."""

import functools
from collections.abc import Sequence

import numpy as np
import torch

from bench.data.video.decode import Pixels

MEAN = (0.43216, 0.394666, 0.37645)
STD = (0.22803, 0.22145, 0.216989)


def train_start(frames: int, length: int, rng: np.random.Generator) -> int:
    """Draw the first frame of a training clip, uniform in [0, max(1, frames - length))."""
    return int(rng.integers(max(1, frames - length)))


def clip_indices(start: int, length: int, frames: int) -> list[int]:
    """Return ``length`` consecutive frame numbers from ``start``, modulo ``frames``."""
    return [(start + k) % frames for k in range(length)]


def test_starts(frames: int, length: int, n: int) -> list[int]:
    """Return the first frames of the test clips: exactly k * period, period = max(frames // n, 1).

    There are min(n, frames // period) of them; a video of fewer than n frames has fewer than n.
    ``length`` does not matter: a clip that reaches past the end goes on at the beginning.
    """
    period = max(frames // n, 1)
    return [k * period for k in range(min(n, frames // period))]


def test_indices(frames: int, length: int, n: int) -> list[int]:
    """Return the n * length frame numbers of the n test clips, clip after clip.

    Where a short video has fewer than n starts, its first ``length`` frames fill the rest.
    """
    starts = test_starts(frames, length, n)
    starts += [0] * (n - len(starts))
    return [index for start in starts for index in clip_indices(start, length, frames)]


def crop_at(frames: Pixels, size: int, place: Sequence[float]) -> Pixels:
    """Cut ``size`` x ``size`` out of uint8 [T,H,W,3], the same place of every frame.

    ``place`` is (down, right), each in [0, 1): drawn uniformly, every place is as likely.
    """
    y, x = (int(p * (side - size + 1)) for p, side in zip(place, frames.shape[1:3], strict=True))
    return frames[:, y : y + size, x : x + size]


def centre_crop(frames: Pixels, size: int) -> Pixels:
    """Cut ``size`` x ``size`` out of the middle of uint8 [T,H,W,3]; halves round to even."""
    y, x = (round((side - size) / 2) for side in frames.shape[1:3])
    return frames[:, y : y + size, x : x + size]


def normalise(clips: torch.Tensor) -> torch.Tensor:
    """Turn uint8 [...,T,H,W,3] into float32 [...,3,T,H,W] on its device: (x/255 - mean) / std.

    The result keeps the memory order of the input, which is channels-last.
    """
    mean, std = _constants(clips.device)
    return clips.float().div_(255).sub_(mean).div_(std).movedim(-1, -4)


@functools.cache
def _constants(device: torch.device) -> Sequence[torch.Tensor]:
    """Return mean and std on ``device``, copied there once."""
    with torch.inference_mode(False):
        return torch.tensor(MEAN, device=device), torch.tensor(STD, device=device)
