"""``splits/<profile>/<data set>.<protocol>.json``: the class splits of a protocol."""

from typing import ClassVar, NotRequired

from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12

from bench.data.formats.json_file import JsonFile


class Split(TypedDict):
    """One class split by name; every list is sorted by code point.

    ``videos``: score only these (names as in the official lists, without suffix).
    ``held_out``: videos of seen classes (paths of the index) that are tested and never trained on.
    ``validation``: classes that are neither trained on nor tested.
    """

    name: str
    seen: list[str]
    unseen: list[str]
    videos: NotRequired[list[str]]
    held_out: NotRequired[list[str]]
    validation: NotRequired[list[str]]


class SplitFile(JsonFile):
    """All splits of a data set under one protocol."""

    stage: ClassVar[str] = "splits"

    dataset: str
    protocol: str
    definition: str
    """The protocol in one sentence."""
    digest: str
    """Hash of ``splits``."""
    splits: list[Split]
