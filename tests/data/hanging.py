"""A measurement that hangs, in a module that worker processes can import."""

import time
from pathlib import Path

from bench.data.manifest import measure_file


def hang_at_b(path: str, root: Path, sha256: bool) -> object:
    """Measure as a manifest does, but hang at b.mp4."""
    if path.endswith("b.mp4"):
        time.sleep(60)
    return measure_file(path, root, sha256)
