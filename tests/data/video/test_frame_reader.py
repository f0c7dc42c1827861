"""Single frames of videos: which ones, the same pixels as clips have, and what cannot be read."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.config.paths import Layout
from bench.data.index import Index
from bench.data.input_store import read_videos
from bench.data.synthetic.moving_shapes import write_h264
from bench.data.video.decode import FrameSampler, VideoError, read_frames, reencode_jpeg, resize
from bench.features.input_makers import Workspace

LENGTHS = [10, 3, 0, 1]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """Give four videos whose frames grow brighter; number 2 is broken."""
    root = tmp_path_factory.mktemp("videos")
    paths = [f"{i}.mp4" for i in range(len(LENGTHS))]
    for path, length in zip(paths, LENGTHS, strict=True):
        levels = np.arange(max(length, 1), dtype=np.uint8)[:, None, None, None] * 25
        write_h264(root / path, np.broadcast_to(levels, (len(levels), 32, 48, 3)).copy())
    rows = np.arange(len(paths))
    reasons = ["", "", "no moov atom", ""]
    count = np.array(LENGTHS)
    return Index("mine", "videos", root, ["x"], paths, rows * 0, count, "", rows, {}, "", reasons)


@pytest.mark.parametrize(
    ("row", "count", "wanted"),
    [
        (0, 1, [5]),
        (0, 2, [2, 7]),
        (0, 5, [1, 3, 5, 7, 9]),
        (0, 10, list(range(10))),
        (1, 4, [0, 1, 1, 2]),
        (1, 7, [0, 0, 1, 1, 1, 2, 2]),
        (3, 3, [0, 0, 0]),
    ],
)
def test_the_middles_of_equal_parts(index: Index, row: int, count: int, wanted: list[int]) -> None:
    whole = read_frames(index.root / index.paths[row])
    own = FrameSampler(index, count, None).sample(row)
    assert own.dtype == np.uint8 and np.array_equal(own, whole[wanted])
    small = FrameSampler(index, count, 20).sample(row)
    assert small.shape == (count, 20, 30, 3) and np.array_equal(small, resize(whole, 20)[wanted])


@pytest.mark.parametrize("side", [None, 20])
def test_broken_videos(index: Index, tmp_path: Path, side: int | None) -> None:
    sampler = FrameSampler(index, 2, side)
    assert sampler.failures == {2: "no moov atom"}
    with pytest.raises(VideoError, match=r"2\.mp4: no moov atom"):
        sampler.sample(2)
    index.frames[1] = 30  # more than the file has, as when it was replaced
    with pytest.raises(VideoError, match="no frame 22, it has 3"):
        sampler.sample(1)
    index.frames[1] = 3


def test_a_video_that_a_disk_failed_to_give_is_read_again(index: Index, tmp_path: Path) -> None:
    asked: list[int] = []

    def brightness(frames: np.ndarray) -> np.ndarray:
        asked.append(len(frames))
        return frames.mean((1, 2, 3))[:, None].astype(np.float32)

    work = object.__new__(Workspace)
    work.layout = Layout(tmp_path, "p")
    work.index = lambda dataset: index  # type: ignore[method-assign]
    make = partial(work.of_frames, "objects", "mine", 2, None, brightness, ["key"])
    video, away = index.root / "1.mp4", tmp_path / "away.mp4"
    video.rename(away)
    lacking = make()
    assert read_videos(work.layout.inputs / "objects", "mine", 4)[1].keys() == {1, 2}
    asked.clear()
    assert make() == lacking and not asked
    away.rename(video)
    assert make() != lacking
    assert read_videos(work.layout.inputs / "objects", "mine", 4)[1].keys() == {2}


@pytest.mark.parametrize("source", [(60, 80), (20, 24)])
def test_resize_is_the_antialiased_bilinear_filter(source: tuple[int, int]) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (3, *source, 3), np.uint8)
    small = resize(frames, (28, 32))
    exact = torch.nn.functional.interpolate(
        torch.from_numpy(frames).permute(0, 3, 1, 2).double(),
        size=(28, 32),
        mode="bilinear",
        antialias=True,
    )
    assert small.dtype == np.uint8
    assert np.abs(small - exact.permute(0, 2, 3, 1).numpy()).max() <= 1


def test_jpeg_changes_little_but_something() -> None:
    ramp = np.linspace(0, 255, 64).astype(np.uint8)
    frames = np.broadcast_to(ramp[None, None, :, None], (2, 48, 64, 3))
    coded = reencode_jpeg(frames)
    assert coded.shape == frames.shape
    assert 0 < np.abs(coded.astype(int) - frames).max() < 20
