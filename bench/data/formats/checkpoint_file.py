"""``data/checkpoints/<profile>/<name>.json``: where an imported checkpoint comes from."""

from typing import Literal

from pydantic import ConfigDict

from bench.data.formats.json_file import JsonFile


class CheckpointFile(JsonFile):
    """Facts of an imported checkpoint; further keys are copied from the released file."""

    model_config = ConfigDict(extra="allow")

    method: str
    source: str
    """Name of the released file."""
    sha256: str
    """Hash of the released file."""
    classes: int
    """Number of classes that it was trained on."""
    chosen: Literal["last", "best_on_test"]
    """Which checkpoint of its training it is."""
    digest: str
    """Hash of the weights beside this file."""
