"""``data/<profile>/index/<data set>.json``: what a data set consists of."""

from typing import ClassVar

from bench.data.formats.json_file import JsonFile


class IndexFile(JsonFile):
    """A data set's facts; its videos are the rows of the .parquet beside it."""

    stage: ClassVar[str] = "data"

    name: str
    kind: str
    """videos or features."""
    root: str
    """Folder of the videos, or file of the features; relative to the index's folder if possible."""
    keys: dict[str, str]
    """Names of the arrays in a file of features."""
    source: str
    """Hash of a file of features."""
    videos: int
    classes: list[str]
    """Sorted by code point; labels are positions in this list."""
    digest: str
    """Hash of the rows (without ``reason``) and of ``source``."""
    file: str = ""
    """Hash of the .parquet file."""
