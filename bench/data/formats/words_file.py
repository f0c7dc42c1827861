"""``data/<profile>/words/words.json``: the words of each class, and the sources of its vector."""

from pathlib import Path
from typing import ClassVar, Self

from bench.data.formats.json_file import Entry, JsonFile
from bench.utils.io import digest

SAMPLE = 1 << 20  # bytes at each end of a file that identify it


class FileSample(Entry):
    """Size of a file, and the digest of its two ends: quick to compute for any size."""

    bytes: int
    sample: str

    @classmethod
    def of(cls, path: Path) -> Self:
        """Return the sample of a file: its first and last ``SAMPLE`` bytes are read."""
        size = path.stat().st_size
        with path.open("rb") as handle:
            head = handle.read(SAMPLE)
            handle.seek(max(0, size - SAMPLE))
            return cls(bytes=size, sample=digest(head + handle.read()))


class WordsFile(JsonFile):
    """What the class vectors of a profile were made from."""

    stage: ClassVar[str] = "words"

    digests: dict[str, str]
    """Data set -> hash of its class vectors."""
    sources: dict[str, FileSample]
    """File of word or class vectors -> its sample when it was read."""
    classes: dict[str, dict[str, list[str]]]
    """Data set -> class -> words; empty where class vectors are given."""

    def changed_sources(self, root: Path) -> list[str]:
        """Return the sources, relative to ``root``, that have changed since they were read.

        DVC does not watch them. A missing file is not listed: its vectors are stored.
        """
        return [
            file
            for file, sample in self.sources.items()
            if (root / file).is_file() and FileSample.of(root / file) != sample
        ]
