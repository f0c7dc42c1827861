"""``data/<profile>/words/words.json``: the words of each class, and the sources of its vector."""

from typing import ClassVar

from bench.data.formats.json_file import Entry, JsonFile


class FileSample(Entry):
    """Size of a file, and the digest of its two ends: quick to compute for any size."""

    bytes: int
    sample: str


class WordsFile(JsonFile):
    """What the class vectors of a profile were made from."""

    stage: ClassVar[str] = "words"

    digests: dict[str, str]
    """Data set -> hash of its class vectors."""
    sources: dict[str, FileSample]
    """File of word or class vectors -> its sample when it was read."""
    classes: dict[str, dict[str, list[str]]]
    """Data set -> class -> words; empty where class vectors are given."""
