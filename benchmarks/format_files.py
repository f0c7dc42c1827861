"""The formats of ``benchmarks/formats.py``: each keeps the frames of videos in a folder."""

import importlib
import io
import mmap
import os
import tarfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from PIL import Image
from torchvision.io import decode_jpeg, decode_png

from bench.data.synthetic.moving_shapes import write_h264
from bench.data.video.decode import Converter, Frames, Pixels, VideoFrames

SIDE, LENGTH = 112, 16
QUALITY, CRF, FPS = 90, 20, 25
Bytes = bytes | memoryview
Read = Callable[[int, Sequence[int]], Pixels]
Make = Callable[[Path, Sequence[Pixels]], Frames]


class Kept:
    """``Frames`` whose clips ``read(video, indices)`` reads."""

    failures: Mapping[int, str] = {}

    def __init__(self, videos: Sequence[Pixels], read: Read) -> None:
        self._lengths = [len(video) for video in videos]
        self._read = read

    def __len__(self) -> int:
        """Return how many videos there are."""
        return len(self._lengths)

    def frames(self, i: int) -> int:
        """Return how many frames video ``i`` has."""
        return self._lengths[i]

    def clip(self, i: int, indices: Sequence[int]) -> Pixels:
        """Return frames of video ``i`` as uint8 [n,h,w,3]."""
        return self._read(i, indices)


def by_frame(read: Callable[[int, int], Pixels]) -> Read:
    """Return what reads a clip frame by frame, by ``read(video, index)``."""

    def clip(i: int, indices: Sequence[int]) -> Pixels:
        found = np.empty((len(indices), SIDE, SIDE, 3), np.uint8)
        for place, index in enumerate(indices):
            found[place] = read(i, index)
        return found

    return clip


def picture(frame: Pixels, kind: str, **options: Any) -> bytes:
    """Return a frame as a JPEG or PNG file."""
    file = io.BytesIO()
    Image.fromarray(frame).save(file, kind, **options)
    return file.getvalue()


def jpeg(frame: Pixels) -> bytes:
    """Return a frame as a JPEG file."""
    return picture(frame, "JPEG", quality=QUALITY)


def from_jpeg(content: Bytes) -> Pixels:
    """Decode a JPEG file, by the fastest decoder that the product's packages have."""
    return _pixels(decode_jpeg(torch.frombuffer(bytearray(content), dtype=torch.uint8)))


def from_png(content: Bytes) -> Pixels:
    """Decode a PNG file."""
    return _pixels(decode_png(torch.frombuffer(bytearray(content), dtype=torch.uint8)))


def from_zlib(content: Bytes) -> Pixels:
    """Inflate a frame."""
    return from_raw(zlib.decompress(content))


def from_raw(content: Bytes) -> Pixels:
    """View bytes as frames, uint8 [n,h,w,3]."""
    return np.frombuffer(content, np.uint8).reshape(-1, SIDE, SIDE, 3)


def _pixels(image: torch.Tensor) -> Pixels:
    pixels: Pixels = image.permute(1, 2, 0).numpy()
    return pixels


def files(folder: Path, videos: Sequence[Pixels]) -> Frames:
    """Keep a JPEG file a frame, a folder a video."""
    for number, video in enumerate(videos):
        (folder / str(number)).mkdir()
        for index, frame in enumerate(video):
            (folder / str(number) / f"{index:06d}.jpg").write_bytes(jpeg(frame))

    def read(i: int, index: int) -> Pixels:
        with open(f"{folder}/{i}/{index:06d}.jpg", "rb") as file:
            return from_jpeg(file.read())

    return Kept(videos, by_frame(read))


def tar(folder: Path, videos: Sequence[Pixels]) -> Frames:
    """Keep JPEG files in a tar, found by the index that tarfile makes."""
    path = folder / "shard.tar"
    with tarfile.open(path, "w") as archive:
        for number, video in enumerate(videos):
            for index, frame in enumerate(video):
                content = jpeg(frame)
                member = tarfile.TarInfo(f"{number}.{index:06d}.jpg")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    with tarfile.open(path) as archive:
        places = {one.name: (one.size, one.offset_data) for one in archive}
    handle = os.open(path, os.O_RDONLY)

    def read(i: int, index: int) -> Pixels:
        return from_jpeg(os.pread(handle, *places[f"{i}.{index:06d}.jpg"]))

    return Kept(videos, by_frame(read))


def mapped(encode: Callable[[Pixels], bytes], decode: Callable[[Bytes], Pixels]) -> Make:
    """Return what keeps encoded frames in one mapped file, with a table of their offsets."""

    def make(folder: Path, videos: Sequence[Pixels]) -> Frames:
        ends = [0]
        with (folder / "frames.bin").open("wb") as file:
            for frame in (frame for video in videos for frame in video):
                ends.append(ends[-1] + file.write(encode(frame)))
        np.save(folder / "offsets.npy", np.array(ends))
        firsts = np.cumsum([0, *map(len, videos)]).tolist()
        with (folder / "frames.bin").open("rb") as written:
            content = memoryview(mmap.mmap(written.fileno(), 0, access=mmap.ACCESS_READ))

        def read(i: int, index: int) -> Pixels:
            place = firsts[i] + index
            return decode(content[ends[place] : ends[place + 1]])

        return Kept(videos, by_frame(read))

    return make


def lmdb(encode: Callable[[Pixels], bytes], decode: Callable[[Bytes], Pixels] | None) -> Make:
    """Return what keeps an LMDB of a key a frame; without ``decode`` of a key a video, raw."""

    def make(folder: Path, videos: Sequence[Pixels]) -> Frames:
        package: Any = importlib.import_module("lmdb")
        with (
            package.open(str(folder), map_size=2**36) as made,
            made.begin(write=True) as writing,
        ):
            for number, video in enumerate(videos):
                if decode is None:
                    writing.put(b"%06d" % number, video.tobytes())
                    continue
                for index, frame in enumerate(video):
                    writing.put(b"%06d/%06d" % (number, index), encode(frame))
        kept = package.open(str(folder), readonly=True, lock=False, readahead=False)
        reading = kept.begin(buffers=True)  # values are views of the mapped file

        def whole(i: int, indices: Sequence[int]) -> Pixels:
            video = from_raw(reading.get(b"%06d" % i))
            return video[indices[0] : indices[0] + len(indices)]

        if decode is None:
            return Kept(videos, whole)
        return Kept(
            videos, by_frame(lambda i, index: decode(reading.get(b"%06d/%06d" % (i, index))))
        )

    return make


def mp4(gop: int) -> Make:
    """Return what keeps an H.264 file a video with a key frame each ``gop`` frames, and seeks."""

    def make(folder: Path, videos: Sequence[Pixels]) -> Frames:
        for number, video in enumerate(videos):
            write_mp4(folder / f"{number}.mp4", video, gop)
        kept = Kept(videos, lambda i, indices: sought(folder / f"{i}.mp4", indices))
        plain = VideoFrames(folder, [f"{i}.mp4" for i in range(len(videos))], (SIDE, SIDE))
        wanted = range(gop + 1, gop + 1 + min(LENGTH, len(videos[0]) - gop - 1))
        assert np.array_equal(kept.clip(0, wanted), plain.clip(0, wanted)), "a seek misses frames"
        return kept

    return make


def mp4_plain(folder: Path, videos: Sequence[Pixels]) -> Frames:
    """Keep H.264 files as the product writes them, and read them as it does: from frame 0."""
    names = [f"{number}.mp4" for number in range(len(videos))]
    for name, video in zip(names, videos, strict=True):
        write_h264(folder / name, video, FPS)
    return VideoFrames(folder, names, (SIDE, SIDE), [len(video) for video in videos])


def write_mp4(path: Path, frames: Pixels, gop: int) -> None:
    """Write H.264 without B frames, in closed groups of ``gop`` frames."""
    options = {"crf": str(CRF), "g": str(gop), "bf": "0", "tune": "fastdecode"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = SIDE, SIDE, "yuv420p"
        stream.codec_context.thread_count = 1
        for number, pixels in enumerate(frames):
            image = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            image.pts, image.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(image))
        container.mux(stream.encode(None))


def sought(path: Path, indices: Sequence[int]) -> Pixels:
    """Return consecutive frames of what ``write_mp4`` wrote, from the key frame before them."""
    found = np.empty((len(indices), SIDE, SIDE, 3), np.uint8)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        stream.codec_context.thread_count = 1
        base = stream.time_base
        assert base is not None
        tick = 1 / (FPS * base)
        container.seek(int(indices[0] * tick), stream=stream)
        converter = Converter()
        for number, frame in enumerate(container.decode(stream)):
            if number == 0:
                converter.begin(frame)
            assert frame.pts is not None
            place = round(frame.pts / tick) - indices[0]
            if place >= 0:
                found[place] = converter.rgb(frame)
            if place == len(indices) - 1:
                break
    return found


FORMATS: dict[str, Make] = {
    "LMDB, raw, a key a video": lmdb(bytes, None),
    "LMDB, raw, a key a frame": lmdb(bytes, from_raw),
    "LMDB, JPEG, a key a frame": lmdb(jpeg, from_jpeg),
    "raw, mapped file, offsets (ffcv raw)": mapped(bytes, from_raw),
    "JPEG, mapped file, offsets (ffcv jpg)": mapped(jpeg, from_jpeg),
    "JPEG 75, mapped file, offsets": mapped(
        lambda frame: picture(frame, "JPEG", quality=75), from_jpeg
    ),
    "JPEG, tar (WebDataset)": tar,
    "JPEG, files": files,
    "zlib, mapped file, offsets": mapped(lambda frame: zlib.compress(frame.tobytes()), from_zlib),
    "PNG, mapped file, offsets": mapped(lambda frame: picture(frame, "PNG"), from_png),
    "mp4, a key frame each frame": mp4(1),
    "mp4, a key frame each 8": mp4(8),
    "mp4, key frames each 250, from frame 0": mp4_plain,
}
