"""``splits/<profile>/overlap.json``: which training classes the τ filter keeps."""

from typing import ClassVar

from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12

from bench.data.formats.json_file import JsonFile

Verdict = TypedDict(
    "Verdict", {"class": str, "kept": bool, "nearest": str, "dataset": str, "distance": float}
)
"""A training class, whether it is kept, and its nearest test class at distance 1 − cos."""


class OverlapFile(JsonFile):
    """The τ exclusion of training classes, sorted by name."""

    stage: ClassVar[str] = "splits"

    train: str
    test: list[str]
    tau: float
    digest: str
    """Hash of the classes that are kept and of the test data sets."""
    classes: list[Verdict]

    @property
    def kept(self) -> list[str]:
        """The training classes that are kept."""
        return [one["class"] for one in self.classes if one["kept"]]
