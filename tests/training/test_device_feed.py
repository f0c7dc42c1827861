"""Inputs on the device that trains."""

import numpy as np
import torch

from bench.training import device


def test_normalise_moves_channels_and_scales_each() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 6, 7, 3), np.uint8)
    mean, std = np.array(device.MEAN), np.array(device.STD)
    expected = np.moveaxis((pixels / 255 - mean) / std, -1, 2)
    result = device.normalise(torch.from_numpy(pixels))
    assert result.shape == (2, 5, 3, 4, 6, 7)
    assert result.dtype == torch.float32
    assert np.allclose(result.numpy(), expected, atol=1e-5)
