"""The reader: the same frames in every access pattern, and a reason for every bad file."""

import os
import pickle
import sys
import wave
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.data.video.decode import Backend, VideoError, count_frames, read_frames
from bench.errors import UserError

BACKENDS: tuple[Backend, ...] = ("pyav", "decord")


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_wanted_frame_is_no_frame(make_video: Callable[..., Path], backend: Backend) -> None:
    if backend == "decord":
        pytest.importorskip("decord")
    assert len(read_frames(make_video("a.mp4"), [], backend)) == 0


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
    video = make_video("a.mp4", size=(96, 128))
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
    "only sound": (_sound, "no video stream"),
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
    video = make_video("b:+(1).mp4", size=(96, 128))
    spoil, reason = BROKEN[case]
    spoil(video)
    with pytest.raises(VideoError) as caught:
        read_frames(video, None, backend)
    assert str(caught.value).startswith(f"{video}: ")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_only_the_count_shows_a_truncated_avi(tmp_path: Path, ucf_clip: Path) -> None:
    cut = tmp_path / "cut.avi"
    cut.write_bytes(ucf_clip.read_bytes()[: ucf_clip.stat().st_size // 3])
    assert 0 < count_frames(cut) < count_frames(ucf_clip) / 2
    assert len(read_frames(cut)) == count_frames(cut)


def test_file_that_may_not_be_read(make_video: Callable[..., Path]) -> None:
    video = make_video("a.mp4")
    video.chmod(0)
    if os.access(video, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(VideoError, match="Permission denied"):
        count_frames(video)


def test_missing_decord_says_what_to_do(
    make_video: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "decord", None)
    with pytest.raises(UserError, match="pip install decord"):
        read_frames(make_video("a.mp4", size=(96, 128)), [0], "decord")


def test_video_error_survives_a_process_boundary() -> None:
    error = pickle.loads(pickle.dumps(VideoError(Path("a.mp4"), "bad")))
    assert str(error) == "a.mp4: bad"


def test_a_codec_that_ffmpeg_does_not_know_is_one_line(make_video: Callable[..., Path]) -> None:
    path = make_video("clip.mp4", 3)
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))
    with pytest.raises(VideoError, match="codec that ffmpeg does not know"):
        read_frames(path, [0])
