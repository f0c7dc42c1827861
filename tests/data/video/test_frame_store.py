"""The store: the pixels of direct reading, and never a part of a store."""

import itertools
import pickle
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.data.video import clip_reader as clips
from bench.data.video import frame_store as prepare
from bench.data.video.decode import Frames, VideoError, VideoFrames
from bench.data.video.frame_store import FrameStore, build_store
from bench.errors import UserError

SIZE = (28, 36)
PATHS = ["a.mp4", "broken.mp4", "one.mp4", "gone.mp4", "c.mp4"]


@pytest.fixture
def root(tmp_path: Path, make_video: Callable[..., Path]) -> Path:
    """Three good videos of various lengths and sizes, a broken one and a missing one."""
    make_video("a.mp4", 20)
    make_video("one.mp4", 1)
    make_video("c.mp4", 33, (64, 40))
    (tmp_path / "broken.mp4").write_bytes(b"no video" * 50)
    return tmp_path


def build(root: Path, jobs: int = 1, key: str = "k", jpeg: int | None = None) -> FrameStore:
    """Build the store of ``PATHS`` in ``root / store``."""
    return build_store(root / "store", root, PATHS, SIZE, jobs, key=key, jpeg=jpeg)


def both(root: Path) -> tuple[Frames, Frames]:
    """Return ``PATHS`` stored and read directly: whatever takes ``Frames`` takes either."""
    return build(root), VideoFrames(root, PATHS, SIZE)


def files(root: Path) -> list[str]:
    """Return the names of the files of the store."""
    return sorted(path.name for path in (root / "store").iterdir() if path.name != ".lock")


@pytest.mark.parametrize(("jobs", "jpeg"), [(1, None), (1, 75), (2, None)])
def test_store_equals_direct_reading(root: Path, jobs: int, jpeg: int | None) -> None:
    stored = build(root, jobs, jpeg=jpeg)
    direct = VideoFrames(root, PATHS, SIZE, jpeg=jpeg)
    assert len(stored) == len(direct) == 5
    assert [stored.frames(i) for i in range(5)] == [20, 0, 1, 0, 33]
    assert [direct.frames(i) for i in range(5)] == [20, 0, 1, 0, 33]
    for i in (0, 2, 4):
        for wanted in ([0], clips.test_indices(stored.frames(i), 4, 5)):
            clip = stored.clip(i, wanted)
            assert clip.shape == (len(wanted), *SIZE, 3)
            assert np.array_equal(clip, direct.clip(i, wanted))


def test_failed_videos_are_listed_with_their_reasons(root: Path) -> None:
    for videos in both(root):
        assert list(videos.failures) == [1, 3]
        assert "Invalid data" in videos.failures[1]
        assert "No such file" in videos.failures[3]
        with pytest.raises(VideoError, match=r"broken\.mp4: .*Invalid data"):
            videos.clip(1, [0])


def test_a_frame_of_the_next_video_is_never_given(root: Path) -> None:
    for videos in both(root):
        for index in (-1, 20):
            with pytest.raises(VideoError, match=rf"no frame {index}, it has 20"):
                videos.clip(0, [0, index])


def test_store_is_reused_until_its_content_changes(
    root: Path, monkeypatch: pytest.MonkeyPatch, make_video: Callable[..., Path]
) -> None:
    build(root)
    first = files(root)
    decoded: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(prepare, "_decode", lambda path, **how: decoded.append(path.name) or "fails")
        build(root)
    assert decoded == [PATHS[1], PATHS[3]]  # those that failed before, once more
    build(root, key="other")
    second = files(root)
    make_video("a.mp4", 21)
    assert build(root, key="other").frames(0) == 21
    assert len(first) == len(second) == len(files(root)) == 3
    assert not set(first) & set(second)


def test_a_cut_store_is_built_again(root: Path) -> None:
    build(root)
    data = next((root / "store").glob("*.bin"))
    data.write_bytes(data.read_bytes()[:-1])
    assert build(root).clip(4, [32]).shape == (1, *SIZE, 3)


@pytest.mark.parametrize("suffix", ["bin", "json"])
def test_a_flipped_bit_in_a_store_is_noticed(root: Path, suffix: str) -> None:
    wanted = build(root).clip(4, range(33)).copy()  # not a view of the file
    path = next((root / "store").glob(f"*.{suffix}"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    assert np.array_equal(build(root).clip(4, range(33)), wanted)


def interrupted(items: Iterable[Any], *_: object) -> Iterator[Any]:
    """Yield three of the items and stop, as Ctrl-C does."""
    yield from itertools.islice(items, 3)
    raise KeyboardInterrupt


def test_a_failing_build_leaves_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "store").mkdir()
    (root / "store" / ".frames-0.bin.x.part").write_bytes(b"left by a kill")
    monkeypatch.setattr(prepare, "track", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build(root)
    assert files(root) == []


def test_a_killed_build_goes_on_after_its_last_whole_shard(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare, "SHARD_BYTES", 1)  # a shard a video
    with monkeypatch.context() as patch:
        patch.setattr(prepare, "track", interrupted)
        with pytest.raises(KeyboardInterrupt):
            build(root)
    decoded: list[str] = []
    decode = prepare._decode

    def noted(path: Path, **rest: Any) -> Any:
        decoded.append(path.name)
        return decode(path, **rest)

    monkeypatch.setattr(prepare, "_decode", noted)
    stored = build(root)
    assert decoded == PATHS[1:]
    direct = VideoFrames(root, PATHS, SIZE)
    for i, count in ((0, 20), (2, 1), (4, 33)):
        assert np.array_equal(stored.clip(i, range(count)), direct.clip(i, range(count)))
    assert stored.failures.keys() == {1, 3}


def test_only_the_damaged_shard_and_those_after_it_are_made_again(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare, "SHARD_BYTES", 1)
    wanted = build(root).clip(4, range(33)).copy()
    first, *_, last = sorted((root / "store").glob("*.bin"))
    made = first.stat().st_mtime_ns
    last.unlink()
    assert np.array_equal(build(root).clip(4, range(33)), wanted)
    assert first.stat().st_mtime_ns == made


def test_pickled_store_holds_no_pixels(root: Path) -> None:
    stored = build(root)
    clip = stored.clip(4, range(33))
    small = pickle.dumps(stored)
    assert len(small) < 1000
    assert np.array_equal(pickle.loads(small).clip(4, range(33)), clip)


def test_store_of_only_broken_videos(root: Path) -> None:
    broken = build_store(root / "store", root, ["broken.mp4"], SIZE, 1, key="k")
    assert list(broken.failures) == [0]


def test_a_video_that_a_disk_failed_to_give_is_tried_again(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare, "SHARD_BYTES", 1)
    decode = prepare._decode

    def failing(path: Path, **how: Any) -> Any:
        return "Input/output error" if path.name == PATHS[4] else decode(path, **how)

    with monkeypatch.context() as patch:
        patch.setattr(prepare, "_decode", failing)
        assert build(root).failures.keys() == {1, 3, 4}
    stored, direct = build(root), VideoFrames(root, PATHS, SIZE)
    assert stored.failures.keys() == {1, 3}
    assert np.array_equal(stored.clip(4, range(33)), direct.clip(4, range(33)))


def test_an_open_store_stays_as_it_is_while_another_process_rebuilds_it(root: Path) -> None:
    """Otherwise its frames would be those of other videos, which now follow a recovered one."""
    good = (root / "a.mp4").read_bytes()
    (root / "a.mp4").write_bytes(bytes(len(good)))
    opened, direct = build(root), VideoFrames(root, PATHS, SIZE)
    (root / "a.mp4").write_bytes(good)
    assert build(root).frames(0) == 20
    assert opened.frames(0) == 0
    assert np.array_equal(opened.clip(4, range(33)), direct.clip(4, range(33)))


def test_frames_outlive_their_files(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that were removed to spare a disk, or whose disk is not mounted, cost nothing."""
    monkeypatch.setattr(prepare, "SHARD_BYTES", 1)
    wanted = build(root).clip(4, range(33)).copy()
    for name in ("a.mp4", "c.mp4"):
        (root / name).rename(root / f"away-{name}")
    assert np.array_equal(build(root).clip(4, range(33)), wanted)
    (root / "away-a.mp4").rename(root / "broken.mp4")  # would be recovered if c.mp4 were there
    assert build(root).failures.keys() == {1, 3}
    for path in root.glob("*.mp4"):
        path.unlink()
    before = files(root)
    with pytest.raises(UserError, match="none of the 5 videos to decode exists; is its disk"):
        build(root, key="other")
    assert files(root) == before
    assert np.array_equal(build(root).clip(4, range(33)), wanted)


def test_what_the_index_calls_unusable_is_never_decoded(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[str] = []
    monkeypatch.setattr(prepare, "_decode", lambda path, **how: decoded.append(path.name) or "no")
    for _ in range(2):  # built, and opened
        stored = build_store(
            root / "store", root, PATHS[:2], SIZE, 1, key="k", broken={1: "timed out after 600 s"}
        )
        assert stored.failures == {0: "no", 1: "timed out after 600 s"}
    assert set(decoded) == {"a.mp4"}


def test_a_process_that_dies_is_one_line() -> None:
    dead: Future[Any] = Future()
    dead.set_exception(BrokenProcessPool())
    with pytest.raises(UserError, match=r"a process died that decoded v\.mp4 .*bench data check"):
        prepare._result(Path("v.mp4"), dead)
