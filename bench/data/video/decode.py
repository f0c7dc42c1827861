"""Decode video files to RGB as ffmpeg does: always from the first frame, never by seeking."""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import av
import numpy as np
import numpy.typing as npt
import torch
from av.codec.context import Flags
from av.container import InputContainer
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from torch.nn.functional import interpolate

from bench.data.index import Index
from bench.errors import UserError

Backend = Literal["auto", "pyav", "decord"]
Pixels = npt.NDArray[np.uint8]


class VideoError(Exception):
    """A video that cannot be used: ``path`` and ``reason``, in one line."""

    def __init__(self, path: Path, reason: str) -> None:
        """Keep both in ``args``, so that the error can be pickled."""
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        """Return the one line."""
        return f"{self.path}: {self.reason}"


def read_frames(
    path: Path, wanted: Sequence[int] | None = None, backend: Backend = "auto"
) -> Pixels:
    """Return the ``wanted`` frames (any order, repeats allowed; None: all) as uint8 [n,H,W,3] RGB.

    They are the frames that ``ffmpeg -i path -fps_mode passthrough -pix_fmt rgb24`` writes,
    whatever the backend: ``decord`` only reads files for which ``decord_is_exact``, PyAV the rest.
    ``auto`` is PyAV, which is exact for every file and never slower. Each frame is decoded and
    converted once; decoding stops after the last one. Raises ``VideoError`` for an unreadable file
    or a frame past the end.
    """
    needed = None if wanted is None else sorted(set(wanted))
    frames = list(frames_of(path, needed, backend))
    if wanted is not None and needed is not None and list(wanted) != needed:
        place = {index: k for k, index in enumerate(needed)}
        frames = [frames[place[index]] for index in wanted]
    return np.stack(frames) if frames else np.empty((0, 0, 0, 3), np.uint8)


def frames_of(
    path: Path, needed: Sequence[int] | None = None, backend: Backend = "auto"
) -> Iterable[Pixels]:
    """Return the ``needed`` frames (sorted; None: all) in file order, read by ``backend``."""
    if backend != "decord" or not decord_is_exact(path):
        return iter_frames(path, needed)
    return _decord_frames(path, range(count_frames(path)) if needed is None else needed)


def iter_frames(path: Path, wanted: Iterable[int] | None = None) -> Iterator[Pixels]:
    """Yield the distinct ``wanted`` frames (None: all) in file order, each uint8 [H,W,3] RGB.

    Frames are rotated as a player shows them and, if the size changes within the file, scaled to
    the first frame's. One frame is held in memory at a time. Raises ``VideoError``.
    """
    needed = None if wanted is None else set(wanted)
    if needed is not None:
        if not needed:
            return
        if min(needed) < 0:
            raise VideoError(path, f"no frame {min(needed)}")
    last = -1 if needed is None else max(needed)
    converter = Converter()
    count = 0
    for index, frame in enumerate(_decoded(path)):
        count = index + 1
        try:
            if index == 0:
                converter.begin(frame)
            rgb = converter.rgb(frame) if needed is None or index in needed else None
        except av.FFmpegError as error:
            raise VideoError(path, f"frame {index} has no colours: {_reason(error)}") from error
        if rgb is not None:
            yield rgb
        if index == last:
            return
    if needed is not None:
        raise VideoError(path, f"no frame {last}, it has {count}")


class Measured(NamedTuple):
    """Decodable frames, frames per second and displayed size; ``announced`` frames in the header.

    0 where the file does not say.
    """

    frames: int
    fps: float
    width: int
    height: int
    announced: int


def measure_video(path: Path) -> Measured:
    """Decode a whole video and return what it holds. Raises ``VideoError``."""
    count, size = 0, (0, 0)
    with _opened(path) as (container, stream):
        for frame in _frames(path, container, stream):
            if not count:
                size = (frame.width, frame.height)
                size = size[::-1] if is_on_its_side(frame) else size
            count += 1
        return Measured(count, float(stream.average_rate or 0), *size, stream.frames)


def count_frames(path: Path) -> int:
    """Return how many frames decode, by decoding them: headers overstate. Raises ``VideoError``."""
    return measure_video(path).frames


def _decoded(path: Path) -> Iterator[VideoFrame]:
    """Yield every frame in order of presentation. Raises ``VideoError`` if there is none."""
    with _opened(path) as (container, stream):
        yield from _frames(path, container, stream)


def _frames(path: Path, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    count = 0
    try:
        for frame in container.decode(stream):
            yield frame
            count += 1
    except av.FFmpegError as error:
        raise VideoError(path, f"breaks off after {count} frames: {_reason(error)}") from error
    if not count:
        raise VideoError(path, "no decodable frame")


@contextmanager
def _opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a file for one sequential pass in the calling thread (safe after a fork)."""
    if path.exists() and not path.is_file():
        raise VideoError(path, "not a file")
    try:
        # "file:" and the whitelist: a name with a colon is not taken for a URL, and a playlist
        # that poses as a video fetches nothing.
        container = av.open(
            f"file:{path}", metadata_errors="ignore", options={"protocol_whitelist": "file"}
        )
    except (av.FFmpegError, OSError) as error:
        raise VideoError(path, f"cannot be opened: {_reason(error)}") from error
    with container:
        stream = container.streams.best("video")
        if not isinstance(stream, VideoStream):
            raise VideoError(path, "no video stream")
        if stream.codec_context is None:  # although the type stub says otherwise
            raise VideoError(path, "of a codec that ffmpeg does not know")
        stream.thread_type = "NONE"
        stream.codec_context.thread_count = 1  # libdav1d only respects this
        stream.codec_context.flags |= Flags.unaligned  # as ffmpeg does: crops at the left are exact
        yield container, stream


def _reason(error: av.FFmpegError | OSError) -> str:
    return (error.strerror or type(error).__name__).splitlines()[0]


def decord_is_exact(path: Path) -> bool:
    """Tell from the header whether decord 0.6, read from the first frame, gives ffmpeg's pixels.

    Measured in docs/video.md: it does for H.264, HEVC, VP8 and VP9 in MP4 or Matroska, in 8-bit
    4:2:0 with even sides of at least 96. For other files it rounds differently (MPEG-4), drops the
    first frames (MPEG-1, transport streams), changes colours or cannot read at all. Raises
    ``VideoError``.
    """
    with _opened(path) as (container, stream):
        codec = stream.codec_context
        sides = (codec.width, codec.height)
        return (
            bool(DECORD_CONTAINERS & set(container.format.name.split(",")))
            and codec.codec.canonical_name in DECORD_CODECS
            and codec.pix_fmt in ("yuv420p", "yuvj420p")
            and all(side >= 96 and side % 2 == 0 for side in sides)
        )


DECORD_CONTAINERS = {"mp4", "matroska"}
DECORD_CODECS = {"h264", "hevc", "vp8", "vp9"}


def _decord_frames(path: Path, needed: Sequence[int]) -> list[Pixels]:
    """Return the sorted ``needed`` frames with decord, read from frame 0: its seeks are inexact."""
    try:
        import decord
    except ImportError as error:
        raise UserError(
            "video backend 'decord' is not installed: pip install decord, or use 'pyav'"
        ) from error
    if not needed:
        return []
    if needed[0] < 0:
        raise VideoError(path, f"no frame {needed[0]}")
    last = needed[-1]
    try:
        reader = decord.VideoReader(str(path), num_threads=1)
        length = len(reader)
        batch: Pixels | None = None
        if last < length:
            batch = reader.get_batch(range(last + 1)).asnumpy()
    except (decord.DECORDError, RuntimeError, IndexError):
        return list(iter_frames(path, needed))  # which reports the reason if the file is at fault
    if batch is None:
        raise VideoError(path, f"no frame {last}, it has {length}")
    # decord takes its length from the header and silently repeats the last frame past the end.
    if last and np.array_equal(batch[last], batch[last - 1]):
        count = count_frames(path)
        if last >= count:
            raise VideoError(path, f"no frame {last}, it has {count}")
    return [batch[index] for index in needed]


class Converter:
    """Converts frames to RGB with the same filters as the program ffmpeg.

    PyAV's ``VideoReformatter`` differs: it separates the fields of interlaced pictures and
    interpolates the colours of odd sizes and of 10 bits in another way.
    """

    def __init__(self) -> None:
        self._steps: tuple[str, ...] = ()
        self._like: tuple[object, ...] = ()
        self._filters = Graph()

    def begin(self, first: VideoFrame) -> None:
        """Rotate all frames like the first one and scale them to its size."""
        turn = _turn(first)
        self._steps = (*turn, "format=rgb24")
        self._like = _format(first)
        self._filters = self._graph(first)
        # Only for later frames, as in ffmpeg: a scaling step changes how colours are converted.
        size = (first.width, first.height)
        width, height = size[::-1] if is_on_its_side(first) else size
        self._steps = (*turn, f"scale={width}:{height}", "format=rgb24")

    def rgb(self, frame: VideoFrame) -> Pixels:
        """Return one frame as uint8 [H,W,3], upright."""
        if _format(frame) != self._like:
            self._like, self._filters = _format(frame), self._graph(frame)
        self._filters.vpush(frame)
        picture = self._filters.vpull()
        plane = picture.planes[0]
        row = 3 * plane.width
        if plane.line_size < row:  # upside down
            return picture.to_ndarray().astype(np.uint8, copy=False)
        # A view, which keeps the picture alive: to_ndarray would copy.
        lines: Pixels = np.frombuffer(plane, np.uint8)  # type: ignore[call-overload]
        return lines.reshape(-1, plane.line_size)[:, :row].reshape(-1, plane.width, 3)

    def _graph(self, frame: VideoFrame) -> Graph:
        graph = Graph()
        graph.threads = 1
        unused = Fraction(1, 25)  # the graph requires a clock
        width, height = frame.width, frame.height
        chain = [graph.add_buffer(None, width, height, frame.format, time_base=unused)]
        chain += [graph.add(*step.split("=")) for step in self._steps]
        graph.link_nodes(*chain, graph.add("buffersink")).configure()
        return graph


def _format(frame: VideoFrame) -> tuple[int, int, str]:
    return frame.width, frame.height, frame.format.name


def is_on_its_side(frame: VideoFrame) -> bool:
    """Tell whether rotating a frame upright swaps its width and height."""
    return any(step.startswith("transpose") for step in _turn(frame))


def _turn(frame: VideoFrame) -> tuple[str, ...]:
    """Return the filters by which ffmpeg rotates a frame upright, from its display matrix."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return ()
    a, b, _, c, d = memoryview(matrix).cast("B").cast("i")[:5]  # type: ignore[arg-type]
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return ("hflip",) * (a < 0) + ("vflip",) * (d < 0)
    direction = "clock" if c < 0 else "cclock"
    return (f"transpose={direction}" + "_flip" * ((b > 0) == (c > 0)),)


Size = tuple[int, int] | int
"""(h, w), whatever the aspect ratio; or the length of the short side, keeping the ratio."""

CHUNK = 16  # frames held at full size at a time


class Frames(Protocol):
    """Frames of a list of videos; a video is identified by its number in the list."""

    @property
    def failures(self) -> Mapping[int, str]:
        """Videos that cannot be used, with the reason; no other video takes their place."""

    def __len__(self) -> int:
        """Return how many videos there are, failed ones included."""

    def frames(self, i: int) -> int:
        """Return how many frames video ``i`` has; 0 if it failed."""

    def clip(self, i: int, indices: Sequence[int]) -> Pixels:
        """Return frames of video ``i`` (any order, repeats allowed) as uint8 [n,h,w,3].

        Raises ``VideoError`` if the video failed or has no such frame.
        """


class VideoFrames:
    """``Frames`` that are decoded at each call, for data that is too large to store."""

    def __init__(
        self,
        root: Path,
        paths: Sequence[str],
        size: Size,
        counts: Sequence[int] | None = None,
        failures: Mapping[int, str] | None = None,
        *,
        jpeg: int | None = None,
        backend: Backend = "auto",
    ) -> None:
        """Read the videos ``root / path`` at a ``size`` as in ``resize``.

        ``counts`` are the numbers of decodable frames and ``failures`` the broken videos, as in a
        manifest. Without ``counts``, every file is decoded once to count its frames. ``jpeg`` and
        ``backend`` are those of ``read_resized``.
        """
        self._files = [root / path for path in paths]
        self._size, self._jpeg, self._backend = size, jpeg, backend
        self.failures = dict(failures or {})
        if counts is None:
            counts = [self._count(i) for i in range(len(paths))]
        self._counts = [0 if i in self.failures else count for i, count in enumerate(counts)]

    def __len__(self) -> int:
        """Return how many videos there are, failed ones included."""
        return len(self._files)

    def frames(self, i: int) -> int:
        """Return how many frames video ``i`` has; 0 if it failed."""
        return self._counts[i]

    def clip(self, i: int, indices: Sequence[int]) -> Pixels:
        """Return frames of video ``i`` as uint8 [n,h,w,3]; each is decoded once."""
        check_indices(self, i, indices, self._files[i])
        return read_resized(
            self._files[i], self._size, indices, jpeg=self._jpeg, backend=self._backend
        )

    def _count(self, i: int) -> int:
        try:
            return count_frames(self._files[i])
        except VideoError as error:
            self.failures[i] = error.reason
            return 0


def read_resized(
    path: Path,
    size: Size,
    wanted: Sequence[int] | None = None,
    *,
    jpeg: int | None = None,
    backend: Backend = "auto",
) -> Pixels:
    """Return the ``wanted`` frames (None: all) of a video, resized, as uint8 [n,h,w,3].

    Each is decoded, converted and resized once. ``jpeg`` is the quality at which frames of full
    size are re-encoded, as in the released pipeline; None skips this. Raises ``VideoError``.
    """
    if wanted is None:
        small = list(_resized(path, size, None, jpeg, backend))
        return np.concatenate(small) if small else np.empty((0, 0, 0, 3), np.uint8)
    needed = sorted(set(wanted))
    places: dict[int, list[int]] = {index: [] for index in needed}
    for place, index in enumerate(wanted):
        places[index].append(place)
    frames, done = np.empty((0, 0, 0, 3), np.uint8), 0
    for chunk in _resized(path, size, needed, jpeg, backend):
        if not done:
            frames = np.empty((len(wanted), *chunk.shape[1:]), np.uint8)
        for index, frame in zip(needed[done : done + len(chunk)], chunk, strict=True):
            for place in places[index]:
                frames[place] = frame
        done += len(chunk)
    return frames


def _resized(
    path: Path, size: Size, needed: Sequence[int] | None, jpeg: int | None, backend: Backend
) -> Iterator[Pixels]:
    """Yield the needed frames at ``size``, in chunks."""
    for chunk in _chunks(frames_of(path, needed, backend)):
        yield resize(chunk if jpeg is None else reencode_jpeg(chunk, jpeg), size)


def check_indices(videos: Frames, i: int, indices: Sequence[int], path: Path) -> None:
    """Raise ``VideoError`` if video ``i`` failed or does not have all frames ``indices``."""
    if i in videos.failures:
        raise VideoError(path, videos.failures[i])
    count = videos.frames(i)
    for index in (min(indices, default=0), max(indices, default=0)):
        if not 0 <= index < count:
            raise VideoError(path, f"no frame {index}, it has {count}")


def resize(frames: Pixels, size: Size) -> Pixels:
    """Resize uint8 [T,H,W,3] to a new [T,h,w,3], bilinear, without a crop.

    A size (h, w) is antialiased, as in the code of AURL. A short side is not, and scales both sides
    by one factor, rounded down, as in the code of E2E.
    """
    if frames.shape[1:3] == size:
        return frames.copy()
    # The permuted view is channels-last, for which torch has a fast uint8 kernel.
    images = torch.from_numpy(np.require(frames, requirements=["C", "W"])).permute(0, 3, 1, 2)
    if isinstance(size, int):
        factor = size / min(frames.shape[1:3])
        small = interpolate(images, scale_factor=factor, mode="bilinear")
    else:
        small = interpolate(images, size=size, mode="bilinear", antialias=True)
    result: Pixels = small.permute(0, 2, 3, 1).contiguous().numpy()
    return result


def reencode_jpeg(frames: Pixels, quality: int = 75) -> Pixels:
    """Encode and decode uint8 [T,H,W,3] as JPEG: the first step of the released pipeline."""
    from PIL import Image

    def encoded(frame: Pixels) -> Pixels:
        buffer = io.BytesIO()
        Image.fromarray(frame).save(buffer, "JPEG", quality=quality)
        return np.asarray(Image.open(buffer))

    return np.stack([encoded(frame) for frame in frames])


def _chunks(frames: Iterable[Pixels]) -> Iterator[Pixels]:
    """Yield the frames in chunks of one buffer, since allocating memory is slow."""
    chunk, filled = np.empty((0, 0, 0, 3), np.uint8), 0
    for frame in frames:
        if not len(chunk):
            chunk = np.empty((CHUNK, *frame.shape), np.uint8)
        chunk[filled] = frame
        filled += 1
        if filled == CHUNK:
            yield chunk
            filled = 0
    if filled:
        yield chunk[:filled]


class FrameSampler:
    """Reads single frames for image models: the middle frames of ``count`` equal parts of a video.

    ``short_side`` is their smaller side in pixels, keeping the ratio; None keeps the file's size.
    ``failures`` are the rows that are broken according to the index, with the reason.
    """

    def __init__(self, index: Index, count: int, short_side: int | None) -> None:
        self.failures: Mapping[int, str] = index.broken_rows("cannot be decoded")
        self._index, self._count, self._side = index, count, short_side

    def sample(self, row: int) -> Pixels:
        """Return uint8 [count,H,W,3]; a short video repeats frames. Raises ``VideoError``."""
        path = self._index.root / self._index.paths[row]
        if row in self.failures:
            raise VideoError(path, self.failures[row])
        wanted = _middles(int(self._index.frames[row]), self._count)
        if self._side is None:
            return read_frames(path, wanted)
        return read_resized(path, self._side, wanted)


def _middles(frames: int, count: int) -> list[int]:
    """Return the numbers of the middle frames of ``count`` equal parts of a video."""
    return [(2 * part + 1) * frames // (2 * count) for part in range(count)]
