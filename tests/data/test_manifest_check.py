"""Checking what was indexed: files that were cut, exchanged or lost since."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from project import Bench

from bench.data.manifest import check_manifest, update_manifest


@pytest.fixture
def manifest(tmp_path: Path, root: Path, put: Any) -> Path:
    for i, name in enumerate(("cut", "good", "lost", "odd,name", "text")):
        put(f"a/{name}.mp4", 10 + i)
    (root / "a" / "text.mp4").write_text("no video")
    file = tmp_path / "mine.parquet"
    update_manifest("mine", root, file)
    return file


def bad(manifest: Path) -> dict[str, str]:
    table = pd.read_csv(manifest.with_name("mine.bad.csv"))
    assert list(table) == ["path", "class", "reason"]
    return dict(zip(table["path"], table["reason"], strict=True))


def test_bad_videos_are_listed_with_reasons_and_the_code_is_0(
    bench: Bench, manifest: Path, root: Path
) -> None:
    size = (root / "a" / "cut.mp4").stat().st_size
    (root / "a" / "cut.mp4").write_bytes((root / "a" / "cut.mp4").read_bytes()[:-9])
    (root / "a" / "lost.mp4").unlink()
    other = (root / "a" / "good.mp4").read_bytes()
    file = root / "a" / "odd,name.mp4"
    file.write_bytes(other[: file.stat().st_size].ljust(file.stat().st_size, b"\0"))
    ended = bench("data", "check", "mine", "--manifest", str(manifest), "-j", "1")
    assert ended.code == 0
    assert "mine: 5 videos, 1 good, 4 bad (1 of them by the manifest, 3 found now)" in ended.out
    found = bad(manifest)
    assert found["a/cut.mp4"] == f"changed: {size - 9} bytes, {size} in the manifest"
    assert found["a/lost.mp4"] == "missing"
    assert found["a/odd,name.mp4"] == "no frame 12, it has 11"
    assert found["a/text.mp4"].startswith("cannot be opened")
    assert len(found) == 4


def test_an_empty_list_has_its_header(manifest: Path, root: Path, put: Any) -> None:
    put("a/text.mp4")
    update_manifest("mine", root, manifest)
    assert len(check_manifest(manifest, "mine", seed=3)) == 0
    assert bad(manifest) == {}


def test_another_root(manifest: Path, root: Path, tmp_path: Path) -> None:
    root.rename(tmp_path / "moved")
    assert len(check_manifest(manifest, root=tmp_path / "moved")) == 1


def test_a_cut_avi_whose_manifest_count_is_that_of_its_header(
    shared_data: Path, root: Path, tmp_path: Path
) -> None:
    clip = shared_data / "videos" / "ucf101" / "v_Diving_g01_c01.avi"
    cut = root / clip.name
    cut.write_bytes(clip.read_bytes()[: clip.stat().st_size // 3])
    file = tmp_path / "mine.parquet"
    import pyarrow.parquet as pq

    update_manifest("ucf101", root, file)
    table = pq.read_table(file)
    place = table.column_names.index("frames")
    pq.write_table(table.set_column(place, "frames", [[259]]), file)
    found = check_manifest(file)["reason"].item()
    assert found.startswith("no frame 258, it has ")
