"""Files of object scores: which rows belong to which videos, and what does not fit."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.data.index import Index
from bench.errors import UserError
from bench.features.object_vocabulary import read_scores, score_names

PATHS = ["a/v1.avi", "a/v2.avi", "b/v3.avi"]
SCORES = np.arange(12, dtype=np.float16).reshape(3, 4) / 16
NAMES = np.array(["tench", "ball", "bow", "hat"])


def index(paths: list[str] = PATHS) -> Index:
    count = len(paths)
    zero, one = np.zeros(count, np.int64), np.ones(count, np.int64)
    return Index(
        "mine", "videos", Path("v"), ["x"], paths, zero, one, "", zero, {}, "", [""] * count
    )


def save(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "s.npz", **({"scores": SCORES, "names": NAMES} | arrays))
    return folder / "s.npz"


def test_scores_of_videos_and_of_frames(tmp_path: Path) -> None:
    found = read_scores(save(tmp_path), index())
    assert found.dtype == np.float32 and found.tolist() == SCORES[:, None].tolist()
    found = read_scores(save(tmp_path, scores=SCORES.reshape(3, 2, 2), names=NAMES[:2]), index())
    assert found.tolist() == SCORES.reshape(3, 2, 2).tolist()


@pytest.mark.parametrize(
    "ids",
    [
        ["b/v3.avi", "other.avi", "a/v1.avi", "a/v2.avi"],
        ["b/v3", "a/v9", "a/v1", "a/v2"],
        ["v3.avi", "v9.avi", "v1.avi", "v2.avi"],
        [b"v3", b"v9", b"v1", b"v2"],
        ["x/v3.mp4", "x/v9.mp4", "x/v1.mp4", "x/v2.mp4"],
    ],
)
def test_rows_are_found_by_path_or_by_stem(tmp_path: Path, ids: list[str]) -> None:
    scores = SCORES[[2, 0, 0, 1]].copy()
    scores[1] = np.nan  # of no video of the index
    found = read_scores(save(tmp_path, scores=scores, ids=np.array(ids)), index())
    assert found[:, 0].tolist() == SCORES.tolist()


def test_stems_that_are_not_unique_match_nothing(tmp_path: Path) -> None:
    path = save(tmp_path, scores=SCORES[:2], ids=np.array(["0", "1"]))
    with pytest.raises(UserError, match=r"no id fits 2 of 2 videos of mine, as 'a/0.avi' .*'0'"):
        read_scores(path, index(["a/0.avi", "b/0.avi"]))
    path = save(tmp_path, scores=SCORES[:2], ids=np.array(["b/0", "a/0"]))
    found = read_scores(path, index(["a/0.avi", "b/0.avi"]))
    assert found[:, 0].tolist() == SCORES[[1, 0]].tolist()


@pytest.mark.parametrize(
    ("arrays", "why"),
    [
        ({"ids": np.array(["v1", "v2", "v4"])}, r"no id fits 1 of 3 .* as 'b/v3.avi' .*'v1'"),
        ({"ids": np.array(["v1", "v2", "v1"])}, "id 'v1' is there more than once"),
        ({"ids": np.array(["v1", "v2"])}, r"2 ids do not fit scores \(3, 4\)"),
        ({"scores": SCORES[:2]}, "2 rows, but mine has 3 videos; add ids"),
        ({"names": NAMES[:3]}, r"names \(3,\) do not fit scores \(3, 4\)"),
        ({"scores": SCORES[0]}, r"not \[N,O\]"),
        ({"scores": SCORES > 0}, r"are bool .*, not \[N,O\]"),
        ({"scores": SCORES[:, :0], "names": NAMES[:0]}, r"\(3, 0\), not \[N,O\]"),
        (
            {"scores": np.where(SCORES > 0.3, SCORES, np.nan)},
            "of 2 videos are not finite, as of 'a/v1.avi'",
        ),
        ({"names": np.array([None] * 4)}, "cannot be read as an .npz of scores"),
    ],
)
def test_scores_that_do_not_fit(tmp_path: Path, arrays: Any, why: str) -> None:
    with pytest.raises(UserError, match=why):
        read_scores(save(tmp_path, **arrays), index())


def test_files_that_are_no_scores(tmp_path: Path) -> None:
    path = tmp_path / "s.npz"
    with pytest.raises(UserError, match=r"s\.npz are missing; set inputs\.objects\.files"):
        read_scores(path, index())
    path.write_bytes(b"no archive")
    with pytest.raises(UserError, match="cannot be read"):
        read_scores(path, index())
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("other.npy", b"")
    with pytest.raises(UserError, match="cannot be read"):
        read_scores(path, index())
    with path.open("wb") as handle:
        np.save(handle, SCORES)
    with pytest.raises(UserError, match="cannot be read"):
        read_scores(path, index())


def test_files_of_scores_count_in_the_same_objects(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one, two = save(tmp_path / "one"), save(tmp_path / "two")
    assert score_names({"a": one, "b": two, "c": tmp_path / "none.npz"}) == NAMES.tolist()
    save(tmp_path / "two", names=NAMES[::-1])
    with pytest.raises(UserError, match="differ in their names"):
        score_names({"a": one, "b": two})
    with pytest.raises(UserError, match="are missing"):
        score_names({"a": tmp_path / "none.npz"})
    with pytest.raises(UserError, match=r"names no \.npz of scores"):
        score_names({})
