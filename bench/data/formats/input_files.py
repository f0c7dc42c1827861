"""Output of stage ``inputs``: its status, and the facts stored beside each array."""

from collections.abc import Sequence
from typing import ClassVar

from pydantic import RootModel

from bench.data.formats.json_file import Entry, JsonFile
from bench.utils.io import digest

COMPUTED = "computed "
"""Parts of a fingerprint with this prefix are digests of numbers that a network computed. They
differ between types of machines, so they are recorded and shown but decide nothing."""


class InputStatus(Entry):
    """One input of methods, by data set."""

    source: str
    """The model or file that it comes from."""
    digests: dict[str, str]
    keys: dict[str, str] = {}
    """Hash of what decides an input that a network computes; its digest depends on the machine."""
    lacking: dict[str, str]
    """Why a data set does not have the input, and what to do."""

    def parts(self, name: str, datasets: Sequence[str]) -> dict[str, str]:
        """Return the parts of a fingerprint for this input of some data sets."""
        keys = {d: self.keys.get(d, self.digests[d]) for d in datasets}
        parts = {f"input {name}": digest(keys)}
        if self.keys.keys() & set(datasets):
            parts[f"{COMPUTED}{name}"] = digest({d: self.digests[d] for d in datasets})
        return parts


class InputsStatusFile(JsonFile, RootModel[dict[str, InputStatus]]):
    """``results/inputs/<profile>.json``: input -> where it comes from and what is missing."""

    stage: ClassVar[str] = "inputs"


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
