"""The embedded world: its class lists, its drawing and its files."""

from pathlib import Path

import numpy as np
import pytest

from bench.data.synthetic import moving_shapes as world
from bench.data.synthetic.corpus import (
    MOTIONS,
    NEAR_DUPLICATES,
    PRETEXT_MOTIONS,
    PRETEXT_SHAPES,
    SHAPES,
    SYNONYMS,
    canonical,
)
from bench.data.synthetic.moving_shapes import build_world, render, world_classes, write_h264

CLASSES = world_classes()
SEEN = [name for name in CLASSES["mini_kinetics"] if name not in NEAR_DUPLICATES]
TEST = CLASSES["mini_ucf"] + CLASSES["mini_hmdb"]


def test_class_counts() -> None:
    counts = {dataset: len(set(names)) for dataset, names in CLASSES.items()}
    assert counts == {"mini_kinetics": 44, "mini_ucf": 20, "mini_hmdb": 10, "mini_pretext": 30}
    assert len(SEEN) == 40


def test_no_tested_pair_is_seen() -> None:
    tested = [canonical(name) for name in TEST]
    assert len(set(tested)) == 30
    assert not set(tested) & {canonical(name) for name in SEEN}
    assert {canonical(name) for name in NEAR_DUPLICATES} <= set(tested)


def test_every_tested_shape_and_motion_is_seen() -> None:
    pairs = [canonical(name) for name in SEEN]
    assert {shape for shape, _ in pairs} == set(SHAPES)
    assert {motion for _, motion in pairs} == set(MOTIONS)


def test_renamed_classes_use_words_of_their_own() -> None:
    renamed = {word for name in CLASSES["mini_hmdb"] for word in name.split()}
    others = {word for name in SEEN + CLASSES["mini_ucf"] for word in name.split()}
    assert set(SYNONYMS.values()) <= renamed
    assert not set(SYNONYMS.values()) & others
    assert not set(SYNONYMS) & renamed


def test_pretext_shares_no_word() -> None:
    assert not set(PRETEXT_SHAPES) & set(SHAPES)
    assert not set(PRETEXT_MOTIONS) & set(MOTIONS)


@pytest.mark.parametrize("name", ["circle", "circle circle", "circle flying", "red circle falling"])
def test_unknown_name(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        render("mini_ucf", name, 0)


def test_render_is_the_same_each_time_and_differs_by_each_part_of_its_name() -> None:
    first = render("mini_ucf", "circle swinging", 0)
    assert first.shape == (16, 48, 48, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, render("mini_ucf", "circle swinging", 0))
    for other in (
        render("mini_ucf", "circle swinging", 1),
        render("mini_hmdb", "circle swinging", 0),
        render("mini_ucf", "swinging circle", 0),
    ):
        assert not np.array_equal(first, other)


def test_every_class_is_bright_on_dark() -> None:
    for dataset, names in CLASSES.items():
        for name in names:
            brightest = render(dataset, name, 0).max(axis=3).reshape(16, -1)
            assert np.median(brightest) < 120 < brightest.max(), name


def _centre(name: str, index: int) -> np.ndarray:
    """Return the centre and area of the brightest pixels of each frame, [T, 3] as y, x, area."""
    bright = render("mini_ucf", name, index).max(axis=3) > 170
    rows, columns = np.arange(48)[None, :, None], np.arange(48)[None, None, :]
    area = bright.sum(axis=(1, 2))
    y, x = (bright * rows).sum(axis=(1, 2)) / area, (bright * columns).sum(axis=(1, 2)) / area
    return np.stack([y, x, area], axis=1)


@pytest.mark.parametrize("start", [0, 8])
@pytest.mark.parametrize(
    ("motion", "column", "least", "most"),
    [
        ("falling", 0, 8, 24),
        ("rising", 0, -24, -8),
        ("growing", 2, 40, 900),
        ("shrinking", 2, -900, -40),
    ],
)
def test_direction_shows_within_eight_frames(
    motion: str, column: int, least: float, most: float, start: int
) -> None:
    for index in range(5):
        part = _centre(f"square {motion}", index)[start : start + 8, column]
        assert least < part[-1] - part[0] < most


@pytest.mark.parametrize("shape", SHAPES)
def test_spinning_shows_on_every_shape(shape: str) -> None:
    video = render("mini_ucf", f"{shape} spinning", 0).astype(int)
    assert (np.abs(np.diff(video, axis=0)).max(axis=3) > 60).sum(axis=(1, 2)).min() > 4


def test_build_keeps_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        world, "world_classes", lambda: {"mini_ucf": ["bar bouncing"], "mini_hmdb": []}
    )
    build_world(tmp_path, jobs=1)
    files = sorted(tmp_path.rglob("*.mp4"))
    assert [file.relative_to(tmp_path).as_posix() for file in files] == [
        f"mini_ucf/bar_bouncing/{index:03d}.mp4" for index in range(20)
    ]
    before = files[0].read_bytes()
    files[0].unlink()
    files[1].write_bytes(b"kept")
    build_world(tmp_path, jobs=1)
    assert files[0].read_bytes() == before
    assert files[1].read_bytes() == b"kept"


def test_decord_reads_a_file_of_this_size(tmp_path: Path) -> None:
    decord = pytest.importorskip("decord", reason="decord is not installed")
    frames = render("mini_ucf", "star rising", 0, size=world.SIZE)
    write_h264(tmp_path / "a.mp4", frames)
    decoded = decord.VideoReader(str(tmp_path / "a.mp4")).get_batch(range(16)).asnumpy()
    assert decoded.shape == frames.shape
    assert np.abs(decoded.astype(float) - frames).mean() < 6


def test_processes_write_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        world,
        "world_classes",
        lambda: {"mini_pretext": ["heart hopping", "letter resting", "wedge resting"]},
    )
    build_world(tmp_path / "one", jobs=1)
    build_world(tmp_path / "two", jobs=2)
    one, two = (sorted((tmp_path / part).rglob("*.mp4")) for part in ("one", "two"))
    assert len(one) == 72
    assert [file.read_bytes() for file in one] == [file.read_bytes() for file in two]
