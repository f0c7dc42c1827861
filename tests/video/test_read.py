"""The reader: the same frames in every access pattern, and a reason for every bad file."""

import multiprocessing
import pickle
import sys
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.errors import UserError
from bench.video.read import Backend, VideoError, count_frames, iter_frames, read_frames

BACKENDS: tuple[Backend, ...] = ("pyav", "decord")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("wanted", [[0], [19], [7, 3, 3, 19, 0], list(range(4, 12)), []])
def test_wanted_frames_are_those_of_a_full_read(
    make_video: Callable[..., Path], backend: Backend, wanted: list[int]
) -> None:
    if backend == "decord":
        pytest.importorskip("decord")
    video = make_video("a.mp4")
    every = read_frames(video)
    assert every.shape == (20, 32, 64, 3)
    assert every.dtype == np.uint8
    if wanted:
        assert np.array_equal(read_frames(video, wanted, backend), every[wanted])
    else:
        assert len(read_frames(video, wanted, backend)) == 0


def test_real_clip_in_random_order_equals_sequential(real_video: Path) -> None:
    count = count_frames(real_video)
    rng = np.random.default_rng(0)
    wanted = rng.integers(count, size=6).tolist()
    needed = set(wanted)
    every = {i: frame for i, frame in enumerate(iter_frames(real_video)) if i in needed}
    got = read_frames(real_video, wanted)
    assert all(np.array_equal(frame, every[i]) for i, frame in zip(wanted, got, strict=True))
    with pytest.raises(VideoError, match=f"no frame {count}, it has {count}"):
        read_frames(real_video, [count])


def test_real_clip_is_the_same_with_decord(real_video: Path) -> None:
    pytest.importorskip("decord")
    if real_video.suffix == ".mpg" or "av1" in real_video.name:
        pytest.skip("decord 0.6 drops the first frames of MPEG-1 and does not open AV1")
    last = count_frames(real_video) - 1
    wanted = [last // 2, 0, min(last, 40)]
    exact = read_frames(real_video, wanted).astype(int)
    # Its older MPEG-4 decoder rounds a few pixels by 1 or 2 otherwise.
    assert np.abs(exact - read_frames(real_video, wanted, "decord")).max() <= 2
    with pytest.raises(VideoError, match=f"no frame {last + 1}"):
        read_frames(real_video, [last + 1], "decord")


def test_decoding_stops_after_the_last_wanted_frame(
    make_video: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    decoded = read_frames.__globals__["_decoded"]

    def counted(path: Path) -> object:
        for frame in decoded(path):
            seen.append(frame.pts)
            yield frame

    monkeypatch.setitem(read_frames.__globals__, "_decoded", counted)
    read_frames(make_video("a.mp4"), [5, 2, 5])
    assert len(seen) == 6


@pytest.mark.parametrize("backend", BACKENDS)
def test_frame_past_the_end_is_an_error(make_video: Callable[..., Path], backend: Backend) -> None:
    if backend == "decord":
        pytest.importorskip("decord")
    video = make_video("a.mp4")
    for wanted in ([3, 20], [-1]):
        with pytest.raises(VideoError, match=rf"a\.mp4: no frame {wanted[-1]}"):
            read_frames(video, wanted, backend)


def _text(path: Path) -> None:
    path.write_text("no video\n" * 100)


def _sound(path: Path) -> None:
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(8000))


def _half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (Path.unlink, "No such file"),
    "empty": (lambda path: path.write_bytes(b""), "Invalid data"),
    "text": (_text, "Invalid data"),
    "sound alone": (_sound, "no video stream"),
    "cut short": (_half, "Invalid data"),
    "folder": (_folder, "not a file"),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", BROKEN)
def test_broken_file_is_one_line_with_name_and_reason(
    make_video: Callable[..., Path], case: str, backend: Backend
) -> None:
    if backend == "decord":
        pytest.importorskip("decord")
    video = make_video("b:+(1).mp4")
    spoil, reason = BROKEN[case]
    spoil(video)
    with pytest.raises(VideoError) as caught:
        read_frames(video, None, backend)
    assert str(caught.value).startswith(f"{video}: ")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_truncated_avi_is_seen_in_the_count_alone(tmp_path: Path, ucf_clip: Path) -> None:
    cut = tmp_path / "cut.avi"
    cut.write_bytes(ucf_clip.read_bytes()[: ucf_clip.stat().st_size // 3])
    assert 0 < count_frames(cut) < count_frames(ucf_clip) / 2
    assert len(read_frames(cut)) == count_frames(cut)


def test_reads_in_a_forked_process_after_reading_in_the_parent(
    make_video: Callable[..., Path],
) -> None:
    video = make_video("a.mp4")
    count_frames(video)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply_async(count_frames, (video,)).get(timeout=20) == 20


def test_missing_decord_says_what_to_do(
    make_video: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "decord", None)
    with pytest.raises(UserError, match="pip install decord"):
        read_frames(make_video("a.mp4"), [0], "decord")


def test_video_error_survives_a_process_boundary() -> None:
    error = pickle.loads(pickle.dumps(VideoError(Path("a.mp4"), "bad")))
    assert str(error) == "a.mp4: bad"
