"""Exactness: ffmpeg's frames for every kind of file, access pattern, backend and process."""

import functools
import hashlib
import multiprocessing
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import av
import numpy as np
import pytest
from kinds import DECORD_READS, KINDS, NEEDS_FFMPEG, x264
from torch.utils.data import DataLoader

from bench.data.video.decode import Backend, decord_is_exact, iter_frames, read_frames

BACKENDS: tuple[Backend, ...] = ("auto", "pyav", "decord")

PATTERNS: dict[str, Callable[[int], Sequence[int]]] = {
    "all": range,
    "first 16": lambda count: range(min(16, count)),
    "random with repeats": lambda count: np.random.default_rng(0).integers(count, size=20).tolist(),
    "last": lambda count: [count - 1],
    "backwards": lambda count: range(count - 1, -1, -1),
}


@pytest.fixture(scope="session")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Give a function that makes the file of a kind, once."""
    folder = tmp_path_factory.mktemp("kinds")

    @functools.cache
    def make(name: str) -> Path:
        KINDS[name](folder / name)
        return folder / name

    return make


def plain(path: Path) -> Iterator[np.ndarray]:
    """Decode from the first frame to the last; convert each by itself; turn by its quarters."""
    with av.open(str(path), metadata_errors="ignore") as container:
        for frame in container.decode(container.streams.best("video")):
            yield np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))


def by_hand(path: Path) -> Iterator[np.ndarray]:
    """Decode and convert by a new graph a frame: for the kinds that the plain way does not suit."""
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            graph = av.filter.Graph()
            source = graph.add_buffer(
                width=frame.width, height=frame.height, format=frame.format, time_base=1
            )
            steps = [graph.add("format", "rgb24"), graph.add("buffersink")]
            graph.link_nodes(source, *steps).configure()
            graph.vpush(frame)
            yield np.rot90(graph.vpull().to_ndarray(), round(frame.rotation / 90))


def hashes(frames: object) -> list[str]:
    """Hash each frame: whole real videos do not fit in memory twice."""
    return [hashlib.sha256(np.ascontiguousarray(frame)).hexdigest() for frame in frames]  # type: ignore[attr-defined]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", KINDS)
def test_every_pattern_gives_the_frames_of_a_plain_decoding(
    kinds: Callable[[str], Path], name: str, backend: Backend
) -> None:
    if backend == "decord":
        pytest.importorskip("decord")
    path = kinds(name)
    expected = [*(by_hand if name in NEEDS_FFMPEG else plain)(path)]
    if name == "two-sizes.h264":
        expected = expected[:10]  # the others are scaled to the size of the first
    for pattern, indices in PATTERNS.items():
        wanted = list(indices(len(expected)))
        got = read_frames(path, wanted, backend)
        assert np.array_equal(got, np.stack([expected[i] for i in wanted])), pattern


def test_plain_conversion_is_not_ffmpegs_for_the_kinds_that_say_so(
    kinds: Callable[[str], Path],
) -> None:
    for name in NEEDS_FFMPEG:
        assert hashes(plain(kinds(name))) != hashes(iter_frames(kinds(name))), name


def test_interlaced_pictures_get_their_colours_as_progressive_ones(
    kinds: Callable[[str], Path],
) -> None:
    path = kinds("interlaced.mp4")
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        assert frame.interlaced_frame
        without_flag = av.VideoFrame.from_ndarray(frame.to_ndarray(), format="yuv420p")
    assert np.array_equal(read_frames(path, [0])[0], without_flag.to_ndarray(format="rgb24"))


def test_columns_that_a_file_cuts_off_at_the_left_are_not_seen(tmp_path: Path) -> None:
    """A decoder may keep some of them to spare an unaligned copy."""
    x264(tmp_path / "whole.mp4", count=2)
    x264(tmp_path / "cut.mp4", count=2, **{"x264-params": "crop-rect=10,4,6,0"})
    whole, cut = (read_frames(tmp_path / name) for name in ("whole.mp4", "cut.mp4"))
    assert np.array_equal(cut, whole[:, 4:, 10:-6])


def test_frames_of_another_size_are_scaled_to_the_first(kinds: Callable[[str], Path]) -> None:
    frames = read_frames(kinds("two-sizes.h264"))
    assert frames.shape == (20, 96, 128, 3)
    assert len(set(hashes(frames))) == 20


@pytest.mark.parametrize(
    ("matrix", "filters"),
    [((-1, 0, 0, 1), "hflip"), ((1, 0, 0, -1), "vflip"), ((0, 1, 1, 0), "transpose=cclock_flip"),
     ((0, -1, -1, 0), "transpose=clock_flip"), ((0, -1, 1, 0), "transpose=cclock")],
)  # fmt: skip
def test_mirrored_pictures_are_mirrored_back(
    matrix: tuple[int, int, int, int], filters: str
) -> None:
    from bench.data.video.decode import _turn

    a, b, c, d = (value << 16 for value in matrix)
    raw = np.array([a, b, 0, c, d, 0, 0, 0, 1 << 30], np.int32).tobytes()

    class Frame:
        side_data = {"DISPLAYMATRIX": raw}

    assert _turn(Frame()) == (filters,)  # type: ignore[arg-type]


def test_real_clip_is_the_same_in_every_pattern(real_video: Path) -> None:
    expected = hashes(plain(real_video))
    assert hashes(iter_frames(real_video)) == expected
    for pattern in ("random with repeats", "last", "first 16"):
        wanted = list(PATTERNS[pattern](len(expected)))
        assert hashes(read_frames(real_video, wanted)) == [expected[i] for i in wanted], pattern


def test_real_clip_is_the_same_with_decord(real_video: Path) -> None:
    pytest.importorskip("decord")
    expected = hashes(iter_frames(real_video))
    wanted = [len(expected) // 2, 0, min(len(expected) - 1, 40), 0]
    got = read_frames(real_video, wanted, "decord")
    assert hashes(got) == [expected[i] for i in wanted]


def test_decord_itself_reads_what_its_rule_allows(kinds: Callable[[str], Path]) -> None:
    decord = pytest.importorskip("decord")
    allowed = {name for name in KINDS if decord_is_exact(kinds(name))}
    assert allowed == set(DECORD_READS)
    for name in allowed:
        exact = read_frames(kinds(name))
        alone = decord.VideoReader(str(kinds(name)), num_threads=1)
        assert np.array_equal(alone.get_batch(range(len(exact))).asnumpy(), exact), name


def test_decord_itself_reads_the_real_clips_that_its_rule_allows(real_video: Path) -> None:
    decord = pytest.importorskip("decord")
    if not decord_is_exact(real_video):
        pytest.skip("left to PyAV")
    exact = hashes(iter_frames(real_video))
    alone = decord.VideoReader(str(real_video), num_threads=1)
    assert hashes(alone.next().asnumpy() for _ in exact) == exact


def test_every_clip_of_the_test_sets_is_left_to_pyav(shared_data: Path) -> None:
    clips = [*shared_data.glob("videos/ucf101/*"), *shared_data.glob("videos/hmdb51/*")]
    assert len(clips) == 28
    assert not any(decord_is_exact(clip) for clip in clips)


def read_all(path: Path) -> list[str]:
    """Read in this process, for ``map`` of other ones."""
    return hashes(read_frames(path))


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_worker_reads_the_same(kinds: Callable[[str], Path], start: str) -> None:
    paths = [kinds(name) for name in KINDS]
    expected = [read_all(path) for path in paths]
    with multiprocessing.get_context(start).Pool(1) as pool:
        assert pool.map_async(read_all, paths).get(timeout=60) == expected


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_data_loader_reads_the_same(kinds: Callable[[str], Path], start: str) -> None:
    paths = [kinds(name) for name in ("open-gop.mp4", "asp.avi", "edit-list.mp4")]
    loader = DataLoader(
        [str(path) for path in paths],  # type: ignore[arg-type]
        batch_size=None,
        collate_fn=map_path,
        num_workers=1,
        multiprocessing_context=start,
        timeout=60,
    )
    assert list(loader) == [read_all(path) for path in paths]


def map_path(path: str) -> list[str]:
    """Read in a worker of a loader."""
    return read_all(Path(path))


def ffmpeg_frames(path: Path, shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Yield the frames that the program writes."""
    call = ["ffmpeg", "-v", "quiet", "-nostdin", "-threads", "1", "-i", f"file:{path}"]
    call += ["-map", "0:v:0", "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24"]
    with subprocess.Popen([*call, "-"], stdout=subprocess.PIPE) as run:
        assert run.stdout
        while frame := run.stdout.read(int(np.prod(shape))):
            yield np.frombuffer(frame, np.uint8).reshape(shape)


needs_ffmpeg = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="no ffmpeg on PATH")


@needs_ffmpeg
@pytest.mark.parametrize("name", KINDS)
def test_frames_are_those_of_the_program_ffmpeg(kinds: Callable[[str], Path], name: str) -> None:
    frames = read_frames(kinds(name))
    assert hashes(ffmpeg_frames(kinds(name), frames.shape[1:])) == hashes(frames)


@needs_ffmpeg
def test_real_frames_are_those_of_the_program_ffmpeg(real_video: Path) -> None:
    shape = read_frames(real_video, [0]).shape[1:]
    assert hashes(ffmpeg_frames(real_video, shape)) == hashes(iter_frames(real_video))
