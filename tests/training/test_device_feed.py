"""Inputs on the device that trains."""

import numpy as np
import torch

from bench.training import device_feed


def test_normalise_moves_channels_and_scales_each() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 6, 7, 3), np.uint8)
    mean, std = np.array(device_feed.MEAN), np.array(device_feed.STD)
    expected = np.moveaxis((pixels / 255 - mean) / std, -1, 2)
    result = device_feed.normalise(torch.from_numpy(pixels))
    assert result.shape == (2, 5, 3, 4, 6, 7)
    assert result.dtype == torch.float32
    assert np.allclose(result.numpy(), expected, atol=1e-5)
