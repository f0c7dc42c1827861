"""The stage data on videos: with a manifest nothing is decoded, without one each file once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.config.paths import Layout
from bench.config.profile import DataSet
from bench.config.schema import Input
from bench.data.index import Index, read_index, write_index
from bench.data.manifest import list_videos, update_manifest
from bench.data.video.clip_reader import ClipReader
from bench.errors import UserError


@pytest.fixture
def videos(root: Path, put: Any) -> Path:
    put("a/one.mp4", 5)
    put("b/two.MP4", 6)
    (root / "b" / "text.avi").write_text("no video")
    return root


def staged(folder: Path, manifest: str | None = None) -> Index:
    one = DataSet(kind="videos", root=Path("videos"), manifest=manifest and Path(manifest))
    rows = list_videos("mine", one, Layout(folder, "test"), 1)
    write_index(folder / "index", "mine", "videos", folder / "videos", rows)
    return read_index(folder / "index", "mine")


def indexed(folder: Path) -> None:
    update_manifest("mine", folder / "videos", folder / "m.parquet")


def test_without_a_manifest_each_file_is_read_once(
    tmp_path: Path, videos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = staged(tmp_path)
    assert (first.paths, first.frames.tolist()) == (
        ["a/one.mp4", "b/text.avi", "b/two.MP4"],
        [5, 0, 6],
    )
    assert "3 read" in capsys.readouterr().out
    assert staged(tmp_path).digest == first.digest
    assert "3 kept, 0 read" in capsys.readouterr().out


@pytest.mark.parametrize("store", [True, False])
def test_the_real_reason_is_told(tmp_path: Path, videos: Path, store: bool) -> None:
    index = staged(tmp_path)
    source = ClipReader.open(index, Input(length=4, size=16, store=store), tmp_path / "cache")
    assert dict(source.failures) == {
        1: "cannot be opened: Invalid data found when processing input"
    }
    assert source.test([0, 2]).shape == (2, 1, 4, 16, 16, 3)


def test_a_manifest_is_believed_without_decoding(
    tmp_path: Path, videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scanned = staged(tmp_path)
    indexed(tmp_path)
    monkeypatch.setattr("bench.data.manifest.update_manifest", None)
    monkeypatch.setattr("bench.data.manifest.measure_video", None)
    assert staged(tmp_path, "m.parquet").digest == scanned.digest


def test_files_that_changed_since_are_unusable(
    tmp_path: Path, videos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    indexed(tmp_path)
    before = staged(tmp_path, "m.parquet")
    (videos / "a" / "one.mp4").unlink()
    (videos / "b" / "two.MP4").write_bytes(b"short")
    capsys.readouterr()
    after = staged(tmp_path, "m.parquet")
    assert after.frames.tolist() == [0, 0, 0]
    assert after.reasons[0] == "missing: No such file or directory"
    assert after.reasons[2].startswith("changed since it was indexed: 5 bytes, ")
    assert (
        "mine: 2 videos are missing or changed; run 'bench data index'" in capsys.readouterr().out
    )
    assert after.digest != before.digest


def test_the_digest_follows_the_content_alone(tmp_path: Path, videos: Path, put: Any) -> None:
    import os

    indexed(tmp_path)
    before = staged(tmp_path, "m.parquet").digest
    os.utime(videos / "a" / "one.mp4", ns=(5, 5))
    update_manifest("mine", videos, tmp_path / "m.parquet", sha256=True)
    assert staged(tmp_path, "m.parquet").digest == before
    put("a/one.mp4", 7)
    indexed(tmp_path)
    assert staged(tmp_path, "m.parquet").digest != before


def test_a_csv(tmp_path: Path, videos: Path) -> None:
    (tmp_path / "list.csv").write_text("path,class,more\nb/two.MP4,7,x\na/absent.avi,8,y\n")
    index = staged(tmp_path, "list.csv")
    assert (index.paths, index.classes) == (["b/two.MP4", "a/absent.avi"], ["7", "8"])
    assert index.frames.tolist() == [6, 0]
    assert index.reasons[1] == "cannot be opened: No such file or directory"


def test_what_is_missing(tmp_path: Path, root: Path, put: Any) -> None:
    with pytest.raises(UserError, match="data set mine: no videos in"):
        staged(tmp_path)
    with pytest.raises(UserError, match=r"m\.parquet is missing; 'bench data index"):
        staged(tmp_path, "m.parquet")
    put("a/a.mp4")
    indexed(tmp_path)
    root.rename(tmp_path / "moved")
    with pytest.raises(UserError, match=r"data set mine: folder .*videos is missing"):
        staged(tmp_path, "m.parquet")


def test_use_takes_some_parts_alone(tmp_path: Path, put: Callable[..., Path]) -> None:
    put("train/a/one.mp4")
    put("val/a/two.mp4")
    one = DataSet(kind="videos", root=Path("videos"), use=("train",))
    rows = list_videos("mine", one, Layout(tmp_path, "test"), 1)
    assert list(rows["path"]) == ["train/a/one.mp4"]
    with pytest.raises(UserError, match="no video is in test"):
        list_videos("mine", one.model_copy(update={"use": ("test",)}), Layout(tmp_path, "test"), 1)
