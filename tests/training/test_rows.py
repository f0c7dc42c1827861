"""Which videos a cell trains on."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.errors import UserError
from bench.training.cell_inputs import without_failures

INDEX: Any = SimpleNamespace(root=Path("root"), paths=["a.avi", "b.avi", "c.avi"])


def source(failures: dict[int, str], changed: dict[int, str]) -> dict[str, Any]:
    return {"video": SimpleNamespace(failures=failures | changed, changed=changed)}


def test_what_was_broken_when_indexed_is_left_out() -> None:
    known = source({1: "no frames"}, {})
    assert without_failures([0, 1, 2], [5, 6, 7], known, INDEX) == ([0, 2], [5, 7])


def test_what_broke_since_stops_the_training() -> None:
    changed = source({}, {1: "Input/output error"})
    with pytest.raises(UserError, match=r"root/b\.avi: Input/output error; it was whole"):
        without_failures([0, 1, 2], [5, 6, 7], changed, INDEX)
    assert without_failures([0, 2], [5, 7], changed, INDEX) == ([0, 2], [5, 7])  # another class's
