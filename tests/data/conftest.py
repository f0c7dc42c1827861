"""Folders of small videos."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.video.encode import write_h264

Put = Callable[..., Path]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    folder.mkdir()
    return folder


@pytest.fixture
def put(root: Path) -> Put:
    """Give a function that writes a video of ``frames`` black frames, whatever its suffix."""

    def write(path: str, frames: int = 3) -> Path:
        made = root.parent / "clip.mp4"
        write_h264(made, np.zeros((frames, 32, 48, 3), np.uint8))
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        return made.rename(root / path)

    return write
