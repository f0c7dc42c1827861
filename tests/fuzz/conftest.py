"""The project that fuzz targets may write into."""

from pathlib import Path

import pytest
import toy


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Give a small project in a folder of its own."""
    return toy.make(tmp_path / "project")
