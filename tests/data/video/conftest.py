"""Small video files and, where present, real ones."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.data.synthetic.moving_shapes import write_h264

MakeVideo = Callable[..., Path]


def real_videos() -> list[Path]:
    """Return the real clips of ``$BENCH_TEST_DATA`` or ../shared/data, none where it is absent."""
    default = Path(__file__).parents[3] / ".." / "shared" / "data"
    return sorted(Path(os.environ.get("BENCH_TEST_DATA", default), "videos").glob("*/*"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for ``real_video`` once per real clip, or skip it with the reason."""
    if "real_video" in metafunc.fixturenames:
        reason = "no real clips: set BENCH_TEST_DATA to a folder with videos/*/*"
        absent = pytest.param(None, marks=pytest.mark.skip(reason))
        metafunc.parametrize("real_video", real_videos() or [absent], ids=_name)


@pytest.fixture
def ucf_clip() -> Path:
    """Give one real UCF101 clip."""
    clips = [video for video in real_videos() if video.parent.name == "ucf101"]
    if not clips:
        pytest.skip("no real clips: set BENCH_TEST_DATA to a folder with videos/ucf101/*.avi")
    return clips[0]


def _name(video: Path | None) -> str:
    return video.name if video else "absent"


@pytest.fixture
def make_video(tmp_path: Path) -> MakeVideo:
    """Give a function that writes ``count`` distinct frames to ``tmp_path / name``."""

    def make(name: str, count: int = 20, size: tuple[int, int] = (32, 64)) -> Path:
        """Frame t has a bright bar at t and a grey level of its own, so that no two are alike."""
        frames = np.zeros((count, *size, 3), np.uint8)
        for t in range(count):
            frames[t] = 40 + 9 * t % 160
            frames[t, :, 2 * t % size[1]] = 255
        write_h264(tmp_path / name, frames)
        return tmp_path / name

    return make
