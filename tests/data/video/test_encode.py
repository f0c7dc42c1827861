"""The encoder: what it writes reads back, byte for byte the same each time, or not at all."""

from pathlib import Path

import av
import numpy as np
import pytest

from bench.data.synthetic.moving_shapes import render, write_h264


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    return render("mini_ucf", "star orbiting", 0)


def test_reads_back_close(frames: np.ndarray, tmp_path: Path) -> None:
    write_h264(tmp_path / "a.mp4", frames, fps=8)
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.average_rate == 8
        decoded = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(stream)])
    assert decoded.shape == frames.shape
    error = np.abs(decoded.astype(float) - frames).mean(axis=(1, 2, 3))
    shuffled = np.abs(decoded.astype(float) - frames[::-1]).mean()
    assert error.max() < 6 < shuffled


def test_same_bytes(frames: np.ndarray, tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        write_h264(tmp_path / name, frames)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_one_frame(frames: np.ndarray, tmp_path: Path) -> None:
    write_h264(tmp_path / "a.mp4", frames[:1])
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 1


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((2, 47, 48, 3), np.uint8),
        np.zeros((2, 48, 48, 3), np.float32),
        np.zeros((0, 48, 48, 3), np.uint8),
    ],
    ids=["odd", "float", "empty"],
)
def test_refuses_and_leaves_nothing(bad: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a\.mp4"):
        write_h264(tmp_path / "a.mp4", bad)
    assert not list(tmp_path.iterdir())


def test_failure_half_way_leaves_nothing(
    frames: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "bench.data.synthetic.moving_shapes.CODEC_OPTIONS", {"preset": "no such preset"}
    )
    with pytest.raises(av.FFmpegError):
        write_h264(tmp_path / "a.mp4", frames)
    assert not list(tmp_path.iterdir())
