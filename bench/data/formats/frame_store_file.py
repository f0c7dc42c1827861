"""``frames-<key>.json``: the index of a store of decoded frames, and of one of its shards."""

from typing import ClassVar

from bench.data.formats.json_file import Entry, JsonFile


class Shard(Entry):
    """One file of frames of consecutive videos."""

    videos: int
    bytes: int
    mtime: int
    """Time of writing in ns; while it is the same, the file is not read to check it."""
    digest: str


class ShardFile(Shard, JsonFile):
    """A finished shard of a store that is being built; ``lengths`` is 0 for a failed video."""

    sizes: list[int]
    """Bytes of each video's file."""
    lengths: list[int]
    """Frames of each video."""
    failures: dict[str, str]
    """Row of the data set -> why its video cannot be decoded."""


class FrameStoreFile(JsonFile):
    """A complete store; the lists have one entry per video."""

    stage: ClassVar[str] = "train"

    shape: list[int]
    """Of a frame: height, width, 3."""
    paths: list[str]
    sizes: list[int]
    lengths: list[int]
    failures: dict[str, str]
    shards: list[Shard]
