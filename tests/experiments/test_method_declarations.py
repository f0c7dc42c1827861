"""What a method file declares is read from its text, bases in bench included."""

from pathlib import Path
from typing import Any

import pytest
from project import ROOT

from bench.experiments import fingerprint as sources
from bench.experiments.method_registry import declared, known_inputs
from bench.method import INPUTS

TEXT = '''"""One."""
from bench.method import Method
from bench.models.towers import FixedWords as Tower

raise SystemExit("was run")


class Helper:
    label = "not a method"


class Mine(Tower):
    """What it claims."""

    label = "Mine"
    needs = tuple("video")
    wants = ("objects",)
    learning = "closed form"
    rate: float = 0.5

    def loss(self, batch, seen):
        pass
'''


def read(folder: Path, text: str) -> dict[str, Any]:
    (folder / "mine.py").write_text(text)
    sources.forget_code()
    return declared(folder / "mine.py", ROOT)


def test_literals_of_the_class_and_its_bases(tmp_path: Path) -> None:
    found = read(tmp_path, TEXT)
    assert (found["label"], found["wants"], found["rate"]) == ("Mine", ("objects",), 0.5)
    assert found["doc"] == "What it claims."
    assert found["freeze_backbone"] is False  # of Method itself


def test_a_value_that_is_no_literal_leaves_the_inherited_one(tmp_path: Path) -> None:
    assert read(tmp_path, TEXT)["needs"] == ("video",)


def test_a_base_in_its_own_file(tmp_path: Path) -> None:
    text = TEXT.replace(
        "class Mine(Tower)", "class _Base(Tower):\n    modern = True\n\n\nclass Mine(_Base)"
    )
    assert read(tmp_path, text.replace("class _Base", "class Base"))["modern"] is True


def test_a_file_without_a_method_declares_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, "class Mine:\n    label = 'x'\n") == {}


@pytest.mark.parametrize(
    ("imported", "base"),
    [
        ("import bench.models.towers", "bench.models.towers.FixedWords"),
        ("import bench.models.towers as t", "t.FixedWords"),
        ("from bench.models import towers", "towers.FixedWords"),
        ("from methods.eszsl import ESZSL", "ESZSL"),
    ],
)
def test_a_base_by_any_name(tmp_path: Path, imported: str, base: str) -> None:
    (tmp_path / "bench").symlink_to(ROOT / "bench")
    (tmp_path / "methods").symlink_to(ROOT / "methods")
    (tmp_path / "mine.py").write_text(f"{imported}\n\n\nclass Mine({base}):\n    modern = True\n")
    found = declared(tmp_path / "mine.py", tmp_path)
    of_text = ("features",) if "eszsl" in imported else ("video",)
    assert (found["modern"], found["needs"]) == (True, of_text)


def test_the_inputs_are_those_of_the_contract() -> None:
    assert known_inputs(ROOT) == INPUTS
