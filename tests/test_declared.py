"""What a method file declares is read from its text, bases in bench included."""

from pathlib import Path

from project import ROOT

from bench import sources
from bench.declared import declared

TEXT = '''"""One."""
from bench.method import Method
from bench.models.towers import FixedWords as Tower

raise SystemExit("was run")


class Helper:
    label = "not a method"


class Between(Tower):
    label = "Between"
    wants = ("objects",)
    rate: float = 0.5


class Mine(Between):
    """What it claims."""

    label = "Mine"
    needs = tuple("video")
    training = "closed form"

    def loss(self, batch, seen):
        pass
'''


def test_literals_of_the_class_and_its_bases(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(TEXT.replace("class Between(Tower)", "class Between0:\n    pass\n\n\nclass Mine0(Tower)"))
    sources.parsed.cache_clear()
    assert declared(path, ROOT)["label"] == "Between"  # the first class that is a method
    path.write_text(TEXT.replace("class Mine(Between)", "class Other:\n    pass\n\n\nclass Mine(Between)"))
    sources.parsed.cache_clear()
    found = declared(path, ROOT)
    assert (found["label"], found["wants"], found["rate"]) == ("Between", ("objects",), 0.5)


def test_a_method_derived_from_another_in_its_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(TEXT.replace("class Between(Tower):", "class Between(Tower):  # base"))
    sources.parsed.cache_clear()
    found = declared(path, ROOT)
    assert found["methods"][:2] == ("build", "embed_video")
    assert found["freeze_backbone"] is False  # of Method itself


def test_a_value_that_is_no_literal_leaves_the_inherited_one(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "from bench.method import Method\n\n\nclass Mine(Method):\n    needs = tuple(['clips'])\n"
    )
    sources.parsed.cache_clear()
    assert declared(path, ROOT)["needs"] == ("video",)


def test_a_file_without_a_method_declares_nothing(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("class Mine:\n    label = 'x'\n")
    sources.parsed.cache_clear()
    assert declared(path, ROOT) == {}
