"""Clips in training and test, against the plain definitions of AURL and of E2E."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch.nn.functional import interpolate

from bench.config.schema import Input
from bench.data.synthetic.moving_shapes import write_h264
from bench.data.video import clip_reader
from bench.data.video.clip_reader import ClipReader
from bench.data.video.decode import VideoFrames, read_frames, resize
from bench.errors import UserError
from bench.training.cell_inputs import Batches, stream

LENGTHS = [40, 1, 10, 17]
PATHS = [f"{n}.mp4" for n in LENGTHS]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four videos, 40, 1, 10 and 17 frames long."""
    folder = tmp_path_factory.mktemp("videos")
    rng = np.random.default_rng(0)
    for path, count in zip(PATHS, LENGTHS, strict=True):
        coarse = rng.integers(0, 256, (count, 6, 8, 3), np.uint8)
        write_h264(folder / path, coarse.repeat(8, 1).repeat(8, 2))  # 48 x 64
    return folder


def clips(root: Path, settings: Input) -> ClipReader:
    size = settings.short_side or (settings.size, settings.size)
    return ClipReader(VideoFrames(root, PATHS, size, LENGTHS), settings, {})


def whole(root: Path, row: int, size: int = 24) -> np.ndarray:
    """AURL's definition, frame by frame: all of the picture, antialiased, ratio not kept."""
    frames = torch.from_numpy(read_frames(root / PATHS[row])).permute(0, 3, 1, 2)
    frames = frames.contiguous(memory_format=torch.channels_last)
    small = [interpolate(f[None], (size, size), mode="bilinear", antialias=True) for f in frames]
    return torch.cat(small).permute(0, 2, 3, 1).numpy()


def test_aurl_training_clip_is_16_frames_from_a_uniform_start(root: Path) -> None:
    rows = [0, 1, 2, 3, 0]
    got = clips(root, Input(size=24)).train(rows, np.random.default_rng(7)).numpy()
    rng = np.random.default_rng(7)
    for row, clip in zip(rows, got, strict=True):
        total = LENGTHS[row]
        start = rng.integers(max(1, total - 16))  # the only draw
        assert np.array_equal(clip[0], whole(root, row)[[(start + k) % total for k in range(16)]])


def starts_by_hand(total: int, n: int) -> list[int]:
    """spec: clip k starts at k * period while it can; then the first frames until there are n."""
    period = total // n if total // n > 1 else 1
    starts = [k * period for k in range(total // period) if k < n]
    while len(starts) < n:
        starts.append(0)
    return starts


@pytest.mark.parametrize("n", [1, 25])
def test_aurl_test_clips(root: Path, n: int) -> None:
    got = clips(root, Input(size=24, test_clips=n)).test(range(4)).numpy()
    assert got.shape == (4, n, 16, 24, 24, 3)
    for row, total in enumerate(LENGTHS):
        frames = whole(root, row)
        for clip, start in zip(got[row], starts_by_hand(total, n), strict=True):
            for k, frame in enumerate(clip):
                assert np.array_equal(frame, frames[(start + k) % total])


E2E = Input(size=24, short_side=32, flip=True, length=4)


def test_short_side_is_plain_bilinear_with_one_factor_for_both_sides() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, 60, 89, 3), np.uint8)
    small = resize(frames, 32)
    assert small.shape == (2, 32, 47, 3)  # 89 * 32 / 60 = 47.5, rounded down
    factor = 60 / 32
    for y, x in [(0, 0), (5, 40), (31, 46), (17, 3)]:
        v, u = max((y + 0.5) * factor - 0.5, 0), max((x + 0.5) * factor - 0.5, 0)
        i, j = int(v), int(u)
        p, q = v - i, u - j
        square = frames[:, i : i + 2, j : j + 2].astype(float)
        weights = np.outer([1 - p, p], [1 - q, q])[: square.shape[1], : square.shape[2]]
        expected = np.einsum("tijc,ij->tc", square, weights / weights.sum())
        assert np.abs(small[:, y, x] - expected).max() <= 1


def test_e2e_training_clip_has_one_crop_and_one_flip(root: Path) -> None:
    got = clips(root, E2E).train([0] * 40, np.random.default_rng(3)).numpy()
    frames = resize(read_frames(root / PATHS[0]), 32)
    assert frames.shape[1:3] == (32, 42)
    rng = np.random.default_rng(3)
    places, flipped = set(), 0
    for clip in got:
        start = rng.integers(36)
        (down, right), mirror = rng.random(2), rng.random() < 0.5
        y, x = int(9 * down), int(19 * right)
        expected = frames[start : start + 4, y : y + 24, x : x + 24]
        assert np.array_equal(clip[0], expected[:, :, ::-1] if mirror else expected)
        places.add((y, x))
        flipped += mirror
    assert {y for y, _ in places} == set(range(9))
    assert min(x for _, x in places) == 0
    assert max(x for _, x in places) == 18
    assert 10 < flipped < 30


def test_e2e_test_clips_are_the_centre_and_never_flipped(root: Path) -> None:
    got = clips(root, E2E.model_copy(update={"test_clips": 3})).test([2]).numpy()
    frames = resize(read_frames(root / PATHS[2]), 32)[:, 4:28, 9:33]
    assert np.array_equal(got[0, 1], frames[[3, 4, 5, 6]])
    assert np.array_equal(got[0, 2], frames[[6, 7, 8, 9]])


@pytest.mark.parametrize("settings", [Input(size=24, length=4), E2E])
def test_workers_and_resuming_change_no_clip(root: Path, settings: Input) -> None:
    batches = Batches({"video": clips(root, settings)}, [0, 1, 2, 3], [0, 1, 2, 3], 3, seed=5)
    alone = [inputs["video"] for inputs, _ in stream(batches, 0, 4, workers=0)]
    resumed = [inputs["video"] for inputs, _ in stream(batches, 2, 4, workers=1)]
    assert all(torch.equal(a, b) for a, b in zip(alone[2:], resumed, strict=True))


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"short_side": 112}, "short_side 112 must be more than the crop, size 112"),
        ({"short_side": 128, "store": True}, "with short_side set store: false"),
        ({"backend": "opencv"}, "'auto', 'pyav' or 'decord'"),
    ],
)
def test_settings_that_cannot_be(values: dict[str, object], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        Input.model_validate(values)


def test_how_frames_are_read_changes_no_fingerprint() -> None:
    faster = Input(workers=8, store=True, backend="decord")
    assert faster.numbers() == Input().numbers()
    assert Input(flip=True).numbers() != Input().numbers()


def spoil(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def shorten(path: Path) -> None:
    write_h264(path, np.zeros((3, 48, 64, 3), np.uint8))


def train_over(root: Path, rows: Sequence[int], workers: int) -> None:
    batches = Batches({"video": clips(root, Input(size=24))}, rows, rows, len(rows), seed=0)
    list(stream(batches, 0, 2, workers))


@pytest.mark.parametrize(
    ("change", "reason", "workers"),
    [
        (Path.unlink, "No such file", 0),
        (spoil, "Invalid data", 0),
        (shorten, r"no frame \d+, it has 3", 0),
        (spoil, "Invalid data", 1),
    ],
)
def test_training_video_that_breaks_ends_training_in_one_line(
    root: Path, tmp_path: Path, change: object, reason: str, workers: int
) -> None:
    for path in PATHS:
        (tmp_path / path).write_bytes((root / path).read_bytes())
    change(tmp_path / PATHS[0])  # type: ignore[operator]
    with pytest.raises(UserError, match=rf"40\.mp4: .*{reason}.*bench stage data") as caught:
        train_over(tmp_path, [0, 1, 2, 3], workers)
    assert "\n" not in str(caught.value)


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
    assert clip_reader.test_starts(frames, n) == starts


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
    assert clip_reader.test_indices(frames, 4, n) == indices


@pytest.mark.parametrize("frames", [1, 7, 16, 24, 25, 26, 310])
def test_25_clips_are_always_400_frames_within_the_video(frames: int) -> None:
    indices = clip_reader.test_indices(frames, 16, 25)
    assert len(indices) == 400
    assert set(indices) <= set(range(frames))


@pytest.mark.parametrize(
    ("frames", "starts"), [(5, {0}), (16, {0}), (17, {0}), (18, {0, 1}), (21, {0, 1, 2, 3, 4})]
)
def test_training_starts_are_all_below_frames_minus_length(frames: int, starts: set[int]) -> None:
    rng = np.random.default_rng(0)
    assert {clip_reader.train_start(frames, 16, rng) for _ in range(200)} == starts


def test_clip_wraps_around_a_short_video() -> None:
    assert clip_reader.clip_indices(4, 5, 6) == [4, 5, 0, 1, 2]
