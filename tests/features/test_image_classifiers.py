"""The embedded world's object bank: what it learns from, what it finds, the same every time."""

from pathlib import Path

import numpy as np
import pytest
import torch

from bench.data.synthetic.corpus import (
    PRETEXT_MOTIONS,
    PRETEXT_SHAPES,
    SHAPES,
    canonical,
    world_classes,
)
from bench.data.synthetic.moving_shapes import SIZE, render, write_h264
from bench.data.video.decode import read_frames
from bench.features import image_classifiers as shapes
from bench.features.image_classifiers import OBJECTS, shapes_classifier

DEVICE = torch.device("cpu")


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train on less, and less long."""
    for name, value in {"_VIDEOS": 4, "_FRAMES": 2, "_STEPS": 8, "_BATCH": 16}.items():
        monkeypatch.setattr(shapes, name, value)


def drawn() -> tuple[np.ndarray, list[int]]:
    """Return frames of every shape and pretext motion that the training does not see."""
    videos, labels = [], []
    for label, shape in enumerate(OBJECTS):
        for motion in PRETEXT_MOTIONS:
            videos.append(render("mini_objects", f"{shape} {motion}", 500, 16, SIZE)[2::6])
            labels += [label] * len(videos[-1])
    return np.concatenate(videos), labels


@pytest.mark.usefixtures("short")
def test_it_learns_what_a_shape_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "_STEPS", 120)
    names, model = shapes_classifier(SIZE, DEVICE)
    assert names == [*SHAPES, *PRETEXT_SHAPES]
    frames, labels = drawn()
    found = model(frames)
    assert found.shape == (len(frames), len(names)) and found.dtype == np.float32
    assert found.min() >= 0 and found.sum(1) == pytest.approx(1, abs=1e-5)
    assert (found.argmax(1) == labels).mean() > 0.5  # chance: 0.08; 0.99 in full


@pytest.mark.usefixtures("short")
def test_training_is_deterministic_and_draws_no_global_numbers() -> None:
    torch.manual_seed(5)
    before, threads = torch.random.get_rng_state(), torch.get_num_threads()
    one = shapes_classifier(SIZE, DEVICE)[1]
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(6)
    torch.set_num_threads(2)
    two = shapes_classifier(SIZE, DEVICE)[1]
    assert torch.get_num_threads() == 2
    torch.set_num_threads(threads)
    frames = drawn()[0][:20]
    assert np.array_equal(one(frames), two(frames))


@pytest.mark.usefixtures("short")
def test_it_trains_on_no_video_and_no_tested_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = set()

    def noted(dataset: str, name: str, *rest: int) -> np.ndarray:
        asked.add((dataset, *canonical(name)))
        return render(dataset, name, *rest)

    monkeypatch.setattr(shapes, "render", noted)
    monkeypatch.setattr(shapes, "_STEPS", 1)
    shapes_classifier(SIZE, DEVICE)
    assert {shape for _, shape, _ in asked} == set(OBJECTS)
    assert {dataset for dataset, *_ in asked}.isdisjoint(world_classes())
    tested = {canonical(name) for one in ("mini_ucf", "mini_hmdb") for name in world_classes()[one]}
    assert {(shape, motion) for _, shape, motion in asked}.isdisjoint(tested)


@pytest.mark.usefixtures("short")
def test_colour_and_place_do_not_count_and_an_empty_frame_is_no_error() -> None:
    _, model = shapes_classifier(SIZE, DEVICE)
    frame = np.zeros((1, SIZE, SIZE, 3), np.uint8)
    assert np.isfinite(model(frame)).all()
    frame[0, 10:20, 10:20] = 230, 40, 40
    moved = np.roll(frame, (15, 20), (1, 2))[..., ::-1].copy()
    assert model(moved) == pytest.approx(model(frame), abs=1e-3)


@pytest.mark.slow
def test_decoded_videos(tmp_path: Path) -> None:
    _, model = shapes_classifier(SIZE, DEVICE)
    frames, labels = drawn()
    assert (model(frames).argmax(1) == labels).mean() > 0.95
    right = []
    for name in world_classes()["mini_pretext"]:
        for index in range(2):
            path = tmp_path / "video.mp4"
            write_h264(path, render("mini_pretext", name, index, size=SIZE))
            found = model(read_frames(path, [2, 6, 10, 14]))
            right += (found.argmax(1) == OBJECTS.index(canonical(name)[0])).tolist()
    assert np.mean(right) > 0.9
