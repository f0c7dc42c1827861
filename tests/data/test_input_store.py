"""Inputs on disk: what is written is read, and what does not fit names the stage."""

from pathlib import Path

import numpy as np
import pytest

from bench.data.input_store import (
    is_current,
    read_classes,
    read_objects,
    read_videos,
    write_classes,
    write_objects,
    write_videos,
)
from bench.errors import UserError

ARRAY = np.arange(24, dtype=np.float32).reshape(4, 2, 3)


def test_videos_in_parts(tmp_path: Path) -> None:
    failures: dict[int, str] = {}

    def parts():
        yield ARRAY[:3]
        failures[3] = "broken"
        yield ARRAY[3:] * 0

    write_videos(tmp_path, "one", "key", parts(), 4, failures)
    array, lost = read_videos(tmp_path, "one", 4)
    assert np.array_equal(array[:3], ARRAY[:3]) and lost == {3: "broken"}
    assert is_current(tmp_path, "one", "key") and not is_current(tmp_path, "one", "other")


def test_an_array_laid_out_by_columns(tmp_path: Path) -> None:
    """Of scores that come from pandas, for one."""
    write_videos(tmp_path, "one", "key", iter([np.asfortranarray(ARRAY)]), 4, {})
    assert np.array_equal(read_videos(tmp_path, "one", 4)[0], ARRAY)


def test_too_few_videos_leave_the_old_file(tmp_path: Path) -> None:
    write_videos(tmp_path, "one", "key", iter([ARRAY]), 4, {})
    with pytest.raises(UserError, match="2 of 4 videos of one were computed"):
        write_videos(tmp_path, "one", "new", iter([ARRAY[:2]]), 4, {})
    assert is_current(tmp_path, "one", "key")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one.json", "one.npy"]


@pytest.mark.parametrize("spoil", ["absent", "cut", "other"])
def test_what_does_not_fit_names_the_stage(tmp_path: Path, spoil: str) -> None:
    if spoil != "absent":
        write_videos(tmp_path, "one", "key", iter([ARRAY]), 4, {})
        write_classes(tmp_path, "one", ARRAY)
        write_objects(tmp_path, list("abcd"), ARRAY[:, 0])
    count = 5 if spoil == "other" else 4
    if spoil == "cut":
        for name in ("one.npy", "one.classes.npy", "objects.npz"):
            (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:70])
    for read in (read_videos, read_classes):
        with pytest.raises(UserError, match="run 'bench stage inputs'"):
            read(tmp_path, "one", count)
    if spoil != "other":
        with pytest.raises(UserError, match="run 'bench stage inputs'"):
            read_objects(tmp_path)


def test_objects_with_and_without_texts(tmp_path: Path) -> None:
    plain = write_objects(tmp_path, list("abcd"), ARRAY[:, 0])
    assert set(read_objects(tmp_path)[2]) == {"scored"}
    assert write_objects(tmp_path, list("abcd"), ARRAY[:, 0], ARRAY[:, 1]) != plain
    names, vectors, others = read_objects(tmp_path)
    assert names == list("abcd") and np.array_equal(others["texts"], ARRAY[:, 1])
    assert np.array_equal(vectors, ARRAY[:, 0])


def test_objects_that_boxes_alone_know_are_told_apart(tmp_path: Path) -> None:
    plain = write_objects(tmp_path, list("abcd"), ARRAY[:, 0])
    assert write_objects(tmp_path, list("abcd"), ARRAY[:, 0], scored=3) != plain
    assert read_objects(tmp_path)[2]["scored"].tolist() == [True, True, True, False]
