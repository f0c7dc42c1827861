"""Clip sampling and preprocessing, to the letter of the published pipeline."""

import numpy as np
import pytest
import torch

from bench.data.video import clip_reader as clips
from bench.data.video import frame_reader


@pytest.mark.parametrize(
    ("frames", "n", "starts"),
    [
        (240, 1, [0]),
        (240, 25, list(range(0, 225, 9))),  # period 9; 26 would fit
        (60, 25, list(range(0, 50, 2))),
        (30, 25, list(range(25))),
        (10, 25, list(range(10))),  # fewer frames than clips
        (1, 25, [0]),
        (1, 1, [0]),
        (49, 25, list(range(25))),
    ],
)
def test_test_clips_start_at_multiples_of_the_period(
    frames: int, n: int, starts: list[int]
) -> None:
    assert clips.test_starts(frames, 16, n) == starts


@pytest.mark.parametrize(
    ("frames", "n", "indices"),
    [
        (9, 1, [0, 1, 2, 3]),
        (3, 1, [0, 1, 2, 0]),
        (1, 3, [0] * 12),
        (9, 3, [0, 1, 2, 3, 3, 4, 5, 6, 6, 7, 8, 0]),  # the last clip goes on at the beginning
        (2, 3, [0, 1, 0, 1, 1, 0, 1, 0, 0, 1, 0, 1]),  # two clips, then the first frames again
    ],
)
def test_test_indices(frames: int, n: int, indices: list[int]) -> None:
    assert clips.test_indices(frames, 4, n) == indices


@pytest.mark.parametrize("frames", [1, 7, 16, 24, 25, 26, 310])
def test_25_clips_are_always_400_frames_within_the_video(frames: int) -> None:
    indices = clips.test_indices(frames, 16, 25)
    assert len(indices) == 400
    assert set(indices) <= set(range(frames))


@pytest.mark.parametrize(
    ("frames", "starts"), [(5, {0}), (16, {0}), (17, {0}), (18, {0, 1}), (21, {0, 1, 2, 3, 4})]
)
def test_training_starts_are_all_below_frames_minus_length(frames: int, starts: set[int]) -> None:
    rng = np.random.default_rng(0)
    assert {clips.train_start(frames, 16, rng) for _ in range(200)} == starts


def test_clip_wraps_around_a_short_video() -> None:
    assert clips.clip_indices(4, 5, 6) == [4, 5, 0, 1, 2]


@pytest.mark.parametrize("source", [(60, 80), (20, 24)])
def test_resize_is_the_antialiased_bilinear_filter(source: tuple[int, int]) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (3, *source, 3), np.uint8)
    small = frame_reader.resize(frames, (28, 32))
    exact = torch.nn.functional.interpolate(
        torch.from_numpy(frames).permute(0, 3, 1, 2).double(),
        size=(28, 32),
        mode="bilinear",
        antialias=True,
    )
    assert small.dtype == np.uint8
    assert np.abs(small - exact.permute(0, 2, 3, 1).numpy()).max() <= 1


def test_normalise_moves_channels_and_scales_each() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 6, 7, 3), np.uint8)
    mean, std = np.array(clips.MEAN), np.array(clips.STD)
    expected = np.moveaxis((pixels / 255 - mean) / std, -1, 2)
    result = clips.normalise(torch.from_numpy(pixels))
    assert result.shape == (2, 5, 3, 4, 6, 7)
    assert result.dtype == torch.float32
    assert np.allclose(result.numpy(), expected, atol=1e-5)


def test_jpeg_changes_little_but_something() -> None:
    ramp = np.linspace(0, 255, 64).astype(np.uint8)
    frames = np.broadcast_to(ramp[None, None, :, None], (2, 48, 64, 3))
    coded = frame_reader.reencode_jpeg(frames)
    assert coded.shape == frames.shape
    assert 0 < np.abs(coded.astype(int) - frames).max() < 20
