"""The manifest: what a video is, what is measured again, and what survives a kill."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hanging import hang_at_b
from project import ROOT, Bench

from bench.data.manifest import COLUMNS, Measurement, read_manifest, update_manifest
from bench.errors import UserError


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "mine.parquet"


def indexed(root: Path, out: Path, **options: Any) -> tuple[pd.DataFrame, list[str]]:
    said: list[str] = []
    rows = update_manifest("mine", root, out, jobs=2, say=said.append, **options)
    return rows.set_index("path"), said


def test_each_file_is_a_row_whatever_it_holds(root: Path, out: Path, put: Any) -> None:
    good = put("a/good.mp4", 12)
    put("a/one.mp4", 1)
    (root / "a" / "cut.mp4").write_bytes(good.read_bytes()[:400])
    (root / "a" / "text.mp4").write_text("no video at all")
    (root / "a" / "zero.avi").touch()
    (root / "a" / "folder.avi").mkdir()
    (root / "a" / "link.avi").symlink_to(root / "nowhere")
    os.mkfifo(root / "a" / "pipe.avi")
    audio = root / "a" / "audio.mp4"
    write_audio(audio)
    rows, said = indexed(root, out)
    assert rows["frames"].to_dict() == {
        f"a/{name}": frames
        for name, frames in sorted(
            {"good.mp4": 12, "one.mp4": 1, "cut.mp4": 0, "text.mp4": 0, "zero.avi": 0}.items()
            | {"folder.avi": 0, "link.avi": 0, "pipe.avi": 0, "audio.mp4": 0}.items()
        )
    }
    reasons = {path.removeprefix("a/"): why for path, why in rows["reason"].items()}
    assert reasons["good.mp4"] == ""
    assert reasons["one.mp4"] == "one frame only"
    assert reasons["zero.avi"] == "empty file"
    assert reasons["folder.avi"] == reasons["pipe.avi"] == "not a file"
    assert reasons["audio.mp4"] == "no video stream"
    assert reasons["link.avi"] == "cannot be opened: No such file or directory"
    assert reasons["cut.mp4"] == "no video stream"
    assert reasons["text.mp4"].startswith("cannot be opened: Invalid data")
    assert rows.loc["a/good.mp4", ["class", "fps", "width", "height", "sha256"]].to_list() == [
        *("a", 8.0, 48, 32, "")
    ]
    assert rows.loc["a/good.mp4", "bytes"] == good.stat().st_size
    assert any(
        line.startswith("unusable videos: 7, a/audio.mp4 (no video stream)") for line in said
    )
    assert any(line.startswith("usable, but odd videos: 1, a/one.mp4") for line in said)
    assert "videos/s" in said[-1]


def write_audio(path: Path) -> None:
    import av
    import numpy as np

    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
        )
        frame.rate = 16000
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_read_again_later(root: Path, out: Path, put: Any) -> None:
    file = put("a/a.mp4")
    put("a/b.mp4")
    file.chmod(0)
    assert "Permission denied" in indexed(root, out)[0].loc["a/a.mp4", "reason"]
    file.chmod(0o644)
    assert indexed(root, out)[0].loc["a/a.mp4", "frames"] == 3


def test_columns_order_and_what_the_file_says_of_itself(root: Path, out: Path, put: Any) -> None:
    for path in ("b/2.mp4", "b/10.mp4", "a/9.mp4"):
        put(path)
    indexed(root, out, sha256=True)
    rows, known = read_manifest(out, "mine")
    assert list(rows) == COLUMNS
    assert list(rows["path"]) == ["a/9.mp4", "b/10.mp4", "b/2.mp4"]
    assert known == root
    assert {len(value) for value in rows["sha256"]} == {64}
    assert rows.dtypes[["frames", "bytes", "mtime_ns", "width"]].eq("int64").all()


def test_a_second_run_reads_only_what_changed(root: Path, out: Path, put: Any) -> None:
    for name in "abcd":
        put(f"x/{name}.mp4")
    (root / "x" / "broken.mp4").write_text("no video")
    assert "0 kept, 5 read, 0 dropped" in indexed(root, out)[1][0]
    before = out.read_bytes()
    rows, said = indexed(root, out)
    assert "5 kept, 0 read, 0 dropped" in said[0]
    assert out.read_bytes() == before
    put("x/a.mp4", 5)
    os.utime(root / "x" / "b.mp4", ns=(1, 1))
    (root / "x" / "c.mp4").unlink()
    put("x/e.mp4", 2)
    rows, said = indexed(root, out)
    assert "2 kept, 3 read, 1 dropped" in said[0]
    assert rows["frames"].to_list() == [5, 3, 0, 3, 2]
    assert "5 kept, 0 read" in indexed(root, out)[1][0]
    rows, said = indexed(root, out, sha256=True)
    assert "1 kept, 4 read" in said[0]
    assert (rows["sha256"] != "").sum() == 4
    assert not list(out.parent.glob(".*"))


def test_a_hanging_file_costs_itself_and_is_tried_again(
    root: Path, out: Path, put: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("a/a.mp4")
    put("a/b.mp4")
    with monkeypatch.context() as patched:
        patched.setattr("bench.data.manifest.measure_file", hang_at_b)
        rows, _ = indexed(root, out, timeout=1.0)
    assert rows["reason"].to_list() == ["", "timed out after 1 s"]
    rows, said = indexed(root, out)
    assert "1 kept, 1 read" in said[0]
    assert rows["frames"].to_list() == [3, 3]


@pytest.mark.parametrize(
    ("reason", "read"),
    [
        ("cannot be opened: Input/output error", 1),
        ("cannot be opened: Stale file handle", 1),
        ("breaks off after 12 frames: Input/output error", 1),
        ("breaks off after 12 frames: Invalid data found when processing input", 0),
    ],
)
def test_an_error_of_the_disk_is_not_for_good(
    root: Path, out: Path, put: Any, monkeypatch: pytest.MonkeyPatch, reason: str, read: int
) -> None:
    put("a/a.mp4")
    broken = Measurement(0, 0.0, 0, 0, "", reason)
    with monkeypatch.context() as patched:
        patched.setattr("bench.data.manifest.run", lambda *_: [("a/a.mp4", broken)])
        indexed(root, out)
    assert f"{1 - read} kept, {read} read" in indexed(root, out)[1][0]


def test_what_was_measured_survives_a_kill(root: Path, out: Path, put: Any) -> None:
    video = put("a/000.mp4").read_bytes()
    for i in range(1, 3000):
        (root / "a" / f"{i:03d}.mp4").write_bytes(video)
    command = [sys.executable, "-c", "from bench.cli.main import main; main()", "data", "index"]
    command += ["mine", "--root", str(root), "--out", str(out), "-j", "1"]
    running = subprocess.Popen(command, cwd=ROOT)
    journal = out.with_name(".mine.parquet.journal")
    while not (journal.exists() and journal.read_bytes().count(b"\n") > 20):
        assert running.poll() is None
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert not out.exists()
    done = journal.read_bytes().count(b"\n")
    with journal.open("a") as file:
        file.write('["a/2999.mp4", 12')  # torn by the kill
    rows, said = indexed(root, out)
    assert f"{done} kept, {3000 - done} read" in said[0]
    assert (rows["frames"] == 3).all()
    assert not journal.exists()


def test_another_data_sets_manifest_is_refused(root: Path, out: Path, put: Any) -> None:
    put("a/a.mp4")
    indexed(root, out)
    before = out.read_bytes()
    with pytest.raises(UserError, match="is the manifest of mine, not of other"):
        update_manifest("other", root, out)
    assert out.read_bytes() == before


@pytest.mark.parametrize("path", ["/etc/passwd", "../a.mp4", "a/../../b.mp4"])
def test_a_manifest_that_leads_out_is_refused(root: Path, out: Path, put: Any, path: str) -> None:
    import pyarrow.parquet as pq

    put("a/a.mp4")
    indexed(root, out)
    table = pq.read_table(out)
    paths = table.column_names.index("path")
    pq.write_table(table.set_column(paths, "path", [[path]]), out)
    with pytest.raises(UserError, match=f"'{path}' leads out of the root"):
        read_manifest(out)


def test_a_damaged_manifest_and_a_foreign_one(out: Path) -> None:
    out.write_bytes(b"PAR1 and no more")
    with pytest.raises(UserError, match=r"or damaged .*; delete it and index again"):
        read_manifest(out)
    pd.DataFrame({"path": ["a"], "class": ["b"]}).to_parquet(out)
    with pytest.raises(UserError, match="is no manifest of 'bench data index'"):
        read_manifest(out)


def test_the_command_line(bench: Bench, project: Path, root: Path, put: Any) -> None:
    put("Biking/a.mp4")
    ended = bench("data", "index", "ucf101", "--root", str(root), "-j", "1")
    assert ended.code == 0
    assert (project / "data" / "manifests" / "ucf101.parquet").is_file()
    assert "published: 101 classes, 13320 videos" in ended.out
    assert "here -100 classes, -13319 videos" in ended.out
    for words, named in (
        (("index", "a/b", "--root", str(root)), "'a/b'"),
        (("index", "ucf.15", "--root", str(root)), "'ucf.15'"),
        (("index", "mine", "--root", str(root / "no")), "is missing"),
        (("index", "mine"), "--root"),
        (("check", "hmdb51"), "bench data index hmdb51"),
        (("check", "ucf101", "--root", str(root / "no")), "--root"),
    ):
        ended = bench("data", *words)
        assert (ended.code, ended.err.count("\n")) == (2, 1)
        assert named in ended.err
    left = sorted(path.name for path in (project / "data" / "manifests").iterdir())
    assert left == ["ucf101.parquet"]


def test_real_clips_one_of_them_cut(shared_data: Path, root: Path, out: Path) -> None:
    clips = sorted((shared_data / "videos" / "ucf101").glob("v_ApplyEyeMakeup*.avi"))[:2]
    (root / clips[0].name).symlink_to(clips[0])
    (root / clips[1].name).write_bytes(clips[1].read_bytes()[: clips[1].stat().st_size // 3])
    rows = update_manifest("ucf101", root, out)
    assert set(rows["class"]) == {"ApplyEyeMakeup"}
    whole, cut = rows["frames"]
    assert (whole, rows["width"][0], rows["height"][0], rows["fps"][0]) == (164, 320, 240, 25.0)
    assert 0 < cut < 123
    assert rows["reason"][1] == f"truncated? its header says 123 frames, {cut} decode"


def test_every_real_clip_decodes(shared_data: Path, root: Path, out: Path) -> None:
    for folder in ("hmdb51", "other"):
        (root / folder).symlink_to(shared_data / "videos" / folder)
    rows, _ = indexed(root, out)
    assert (rows["frames"] > 0).all()
    assert rows.loc["other/decord_rot_90.mov", ["width", "height"]].to_list() == [320, 568]
