"""``data/<profile>/inputs/<input>/``: what the arrays of a method's inputs were made from."""

from typing import ClassVar

from bench.data.formats.json_file import JsonFile


class ClassArrayFile(JsonFile):
    """``<data set>.classes.json``: facts of an array with one row per class."""

    stage: ClassVar[str] = "inputs"

    digest: str
    """Hash of the .npy file."""


class VideoArrayFile(JsonFile):
    """``<data set>.json``: facts of an array with one row per video."""

    stage: ClassVar[str] = "inputs"

    key: str
    """Hash of the code, model and data that the array was made from."""
    digest: str
    """Hash of the .npy file."""
    failures: dict[str, str]
    """Row of the index -> why its video has no values."""
