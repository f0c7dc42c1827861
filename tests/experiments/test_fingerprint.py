"""What changes a hash of source code, and which files it covers."""

from pathlib import Path

import pytest
from project import ROOT

from bench.experiments import fingerprint as sources

BASE = '''"""A module."""
from bench.used import number


class Thing:
    """A class."""

    size: int = 3

    def grow(self, by: int) -> int:
        """Grow."""
        return self.size + by * number
'''


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("bench", "methods"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").write_text("")
    (tmp_path / "bench" / "used.py").write_text("from bench.deep import number\n")
    (tmp_path / "bench" / "deep.py").write_text("number = 2\n")
    (tmp_path / "bench" / "unused.py").write_text("number = 3\n")
    (tmp_path / "bench" / "errors.py").write_text("number = 4\n")
    return tmp_path


def hashed(root: Path, text: str) -> str:
    path = root / "methods" / "m.py"
    path.write_text(text)
    sources.parsed.cache_clear()
    sources.normalised.cache_clear()
    return sources.source_digest(path, root)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("size: int = 3", "size: int = 3  # why three"),
        ('"""Grow."""', '"""Grow by so much."""'),
        ('        """Grow."""\n', ""),
        ('"""A module."""\n', "# no words\n\n\n"),
        ("self.size + by * number", "(\n            self.size + (by * number)\n        )"),
        ("'", '"'),
    ],
)
def test_words_and_layout_do_not_count(root: Path, old: str, new: str) -> None:
    assert hashed(root, BASE) == hashed(root, BASE.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"), [("= 3", "= 4"), ("+", "-"), ("grow", "swell"), ("int = 3", "float = 3")]
)
def test_code_counts(root: Path, old: str, new: str) -> None:
    assert hashed(root, BASE) != hashed(root, BASE.replace(old, new))


def test_imported_code_counts_however_deep_and_other_code_does_not(root: Path) -> None:
    before = hashed(root, BASE)
    (root / "bench" / "unused.py").write_text("number = 33\n")
    assert hashed(root, BASE) == before
    (root / "bench" / "deep.py").write_text("number = 22\n")
    assert hashed(root, BASE) != before


@pytest.mark.parametrize(
    "line",
    [
        "import bench.deep",
        "from bench import deep",
        "from bench.deep import number as n",
        "from ..bench import deep",
        "from . import other",
        "from .other import x",
        "def f():\n    import bench.deep",
    ],
)
def test_every_form_of_import_is_followed(root: Path, line: str) -> None:
    (root / "methods" / "other.py").write_text("import bench.deep\n")
    path = root / "methods" / "form.py"
    path.write_text(line + "\n")
    assert root / "bench" / "deep.py" in sources.closure(path, root)


def test_neutral_modules_and_cycles(root: Path) -> None:
    (root / "bench" / "deep.py").write_text("import bench.errors\nimport bench.used\nnumber = 2\n")
    found = sources.closure(root / "bench" / "used.py", root)
    assert [path.name for path in found] == ["deep.py", "used.py"]


def test_training_core_knows_no_table_no_stage_and_no_command() -> None:
    core = sources.closure(ROOT / "bench" / "training" / "run_cell.py", ROOT)
    names = {path.relative_to(ROOT).as_posix() for path in core}
    assert {"bench/training/loop.py", "bench/method.py", "bench/data/video/decode.py"} <= names
    outer = (
        "bench/reports/tables/",
        "bench/cli/",
        "bench/pipeline/stages/",
        "bench/config/profile.py",
        "bench/experiments/plan.py",
    )
    assert not [name for name in names if name.startswith((*outer, "methods/"))]


def test_neutral_modules_exist() -> None:
    for name in sources.NEUTRAL:
        path = ROOT / Path(*name.split("."))
        assert path.with_suffix(".py").is_file() or (path / "__init__.py").is_file(), name


def test_a_project_without_the_package_has_the_installed_one(tmp_path: Path) -> None:
    core = Path("bench", "training", "run_cell.py")
    assert sources.source_digest(tmp_path / core, tmp_path) == sources.source_digest(
        ROOT / core, ROOT
    )
    path = tmp_path / "methods" / "aurl.py"
    path.parent.mkdir()
    path.write_text((ROOT / "methods" / "aurl.py").read_text(encoding="utf-8"), encoding="utf-8")
    assert sources.source_digest(path, tmp_path) == sources.source_digest(
        ROOT / "methods" / "aurl.py", ROOT
    )
