"""Video files of the kinds that trip readers, each made in a fraction of a second."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np

SIZE = (96, 128)


def scene(count: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Return ``count`` frames, uint8 [T,H,W,3], of texture that moves: no two are alike."""
    cells = np.random.default_rng(0).integers(0, 256, (size[0] // 8 + 1, size[1] // 8 + 1, 3))
    still = np.kron(cells, np.ones((8, 8, 1)))[: size[0], : size[1]]
    frames = [np.roll(still, (t, 2 * t), (0, 1)) * (0.5 + 0.4 * np.sin(t)) for t in range(count)]
    return np.stack(frames).clip(0, 255).astype(np.uint8)


def encode(
    path: Path,
    codec: str = "libx264",
    count: int = 40,
    size: tuple[int, int] = SIZE,
    pixels: str = "yuv420p",
    times: Sequence[int] | None = None,
    rotation: int = 0,
    **options: str,
) -> None:
    """Write ``count`` frames of ``scene``, frame t shown at ``times[t]`` ms (None: 25 a second)."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.height, stream.width, stream.pix_fmt = *size, pixels
        # MPEG-1, 2 and 4 have clocks of their own, no finer than a frame.
        clock = Fraction(1, 1000) if times else Fraction(1, 25)
        stream.codec_context.time_base = clock
        stream.codec_context.thread_count = 1
        if rotation:
            stream.set_display_rotation(rotation)
        for t, array in enumerate(scene(count, size)):
            frame = av.VideoFrame.from_ndarray(array, format="rgb24")
            frame.pts, frame.time_base = times[t] if times else t, clock
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def x264(path: Path, preset: str = "fast", **options: object) -> None:
    """Write H.264 as ``encode`` does."""
    encode(path, preset=preset, **options)  # type: ignore[arg-type]


def edited(path: Path, first: int, write: Callable[..., None] = x264, **options: str) -> None:
    """Write a stream copy whose edit list starts at frame ``first``, amid a group of pictures."""
    whole = path.with_name(f"whole-{path.name}")
    write(whole, g="40", **options)
    copy = {"avoid_negative_ts": "disabled"}
    with av.open(str(whole)) as source, av.open(str(path), "w", container_options=copy) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None and packet.pts is not None:
                shift = int(Fraction(first, 25) / packet.time_base)
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                packet.stream = stream
                target.mux(packet)
    whole.unlink()


def two_sizes(path: Path) -> None:
    """Write a raw stream whose frames change their size half way."""
    parts = [path.with_name(f"{k}-{path.name}") for k in range(2)]
    x264(parts[0], count=10)
    x264(parts[1], count=10, size=(128, 160))
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    for part in parts:
        part.unlink()


mpeg4 = partial(encode, codec="mpeg4")
vpx = partial(encode, **{"cpu-used": "8", "deadline": "realtime"})  # type: ignore[arg-type]
x265 = partial(encode, codec="libx265", preset="fast", **{"x265-params": "log-level=none"})
UNEVEN = [sum(20 + 30 * (k % 3) for k in range(t)) for t in range(40)]

DECORD_READS: dict[str, Callable[[Path], object]] = {
    "b-frames.mp4": partial(x264, bf="3", g="12"),
    "b-frames.mkv": partial(x264, bf="3", g="12"),
    "no-b-frames.mp4": partial(x264, bf="0"),
    "open-gop.mp4": partial(x264, bf="3", g="12", **{"x264-params": "open-gop=1"}),
    "long-gop.mp4": partial(x264, g="999", count=120),
    "variable-rate.mp4": partial(x264, times=UNEVEN),
    "variable-rate.mkv": partial(x264, times=UNEVEN),
    "edit-list.mp4": partial(edited, first=10),
    "edit-list-no-b.mp4": partial(edited, first=10, bf="0"),
    "full-range.mp4": partial(x264, pixels="yuvj420p"),
    "bt709.mp4": partial(x264, colorspace="bt709", color_range="tv"),
    "interlaced.mp4": partial(x264, flags="+ildct+ilme"),
    "rotated-90.mp4": partial(x264, rotation=90),
    "rotated-180.mp4": partial(x264, rotation=180),
    "rotated-270.mov": partial(x264, rotation=-90),
    "odd-factor.mp4": partial(x264, size=(98, 130)),
    "hevc.mp4": x265,
    "vp8.webm": partial(vpx, codec="libvpx"),
    "vp9.webm": partial(vpx, codec="libvpx-vp9"),
    "one.mp4": partial(x264, count=1),
    "two.mp4": partial(x264, count=2),
}
"""Files that decord reads exactly, by its rule."""

PYAV_READS: dict[str, Callable[[Path], object]] = {
    "b-frames.ts": partial(x264, bf="3", g="12"),
    "h264.avi": x264,
    "h264.flv": x264,
    "two-sizes.h264": two_sizes,
    "narrow.mp4": partial(x264, size=(48, 48)),
    "odd.webm": partial(vpx, codec="libvpx-vp9", size=(99, 131)),
    "10-bit.mp4": partial(x264, pixels="yuv420p10le"),
    "422-rotated.mp4": partial(x264, pixels="yuv422p", rotation=90),
    "444.mp4": partial(x264, pixels="yuv444p"),
    "asp.avi": partial(mpeg4, bf="2", g="12"),
    "asp.mp4": partial(mpeg4, bf="2", g="12"),
    "asp-odd.avi": partial(mpeg4, size=(51, 97)),
    "asp-qpel.avi": partial(mpeg4, bf="2", flags="+qpel"),
    "asp-edit-list.mp4": partial(edited, first=10, write=mpeg4),
    "mpeg1.mpg": partial(encode, codec="mpeg1video", bf="2"),
    "mpeg2.mpg": partial(encode, codec="mpeg2video", bf="2"),
    "mpeg2.ts": partial(encode, codec="mpeg2video", bf="2"),
    "motion-jpeg.avi": partial(encode, codec="mjpeg", pixels="yuvj420p"),
}
"""Files that the rule leaves to PyAV."""

KINDS = DECORD_READS | PYAV_READS

NEEDS_FFMPEG = {"interlaced.mp4", "odd.webm", "10-bit.mp4", "asp-odd.avi"}
"""Kinds whose colours PyAV's plain conversion makes otherwise than ffmpeg does."""
