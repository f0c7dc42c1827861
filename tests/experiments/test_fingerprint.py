"""What changes the digest of code, and what it covers."""

from pathlib import Path

import pytest
from project import ROOT, copy_project

from bench.experiments import fingerprint

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
    (tmp_path / "bench" / "deep.py").write_text("number = 2\nother = 5\n")
    (tmp_path / "bench" / "errors.py").write_text("number = 4\n")
    return tmp_path


def hashed(root: Path, text: str) -> str:
    path = root / "methods" / "m.py"
    path.write_text(text)
    fingerprint.forget_code()
    return fingerprint.code_digest(path, root)


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
        "import bench.deep\nX = bench.deep.number",
        "from bench import deep\nX = deep.number",
        "from bench import deep\nX = deep",
        "from bench.deep import number as n\nX = n",
        "from bench.used import number\nX = number",
        "from bench.deep import *\nX = number",
        "from ..bench import deep\nX = deep.number",
        "from . import other\nX = other.x",
        "from .other import x\nX = x",
        "import mylib\nX = mylib.x",
        "from importlib import import_module\nX = import_module('bench.deep')",
        "def f():\n    import bench.deep\n    return bench.deep.number",
    ],
)
def test_every_form_of_import_is_followed(root: Path, line: str) -> None:
    for path in (root / "methods" / "other.py", root / "mylib.py"):
        path.write_text("from bench.deep import number\nx = number\n")
    before = hashed(root, line)
    assert hashed(root, line + "  # a comment") == before
    (root / "bench" / "deep.py").write_text("number = 22\nother = 5\n")
    assert hashed(root, line) != before


def test_only_the_definitions_that_are_used_count(root: Path) -> None:
    before = hashed(root, BASE)
    (root / "bench" / "deep.py").write_text("import json\nother = 6\nnumber = 2\n")
    assert hashed(root, BASE) == before
    (root / "bench" / "deep.py").write_text("number = 2\nnumber += 1\n")
    assert hashed(root, BASE) != before


def test_a_local_variable_is_not_the_definition_of_that_name(root: Path) -> None:
    text = "number = 1\ndef g(number=number):\n    return number\ndef f(other):\n    return other\n"
    text += "def other(): return 3\n"
    (root / "methods" / "other.py").write_text(text)
    user = "from methods.other import f\nX = f\n"
    before = hashed(root, user)
    (root / "methods" / "other.py").write_text(text.replace("return 3", "return 4"))
    assert hashed(root, user) == before
    user = "from methods.other import g\nX = g\n"
    before = hashed(root, user)
    (root / "methods" / "other.py").write_text(text.replace("number = 1", "number = 2"))
    assert hashed(root, user) != before


def test_statements_with_effects_count(root: Path) -> None:
    before = hashed(root, BASE)
    (root / "bench" / "deep.py").write_text("import torch\nnumber = 2\ntorch.seed(3)\n")
    assert hashed(root, BASE) != before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("import b", "import c"),
        ("from math import sin as f", "from math import cos as f"),
        ("f'{x} fits'", "f'{y} fits'"),
    ],
)
def test_names_from_outside_and_texts_that_are_used_count(root: Path, old: str, new: str) -> None:
    text = "from math import sin as f\nfrom a import b\ny = 1\nx = 2\n"
    text += "def g():\n    return b, f(3), f'{x} fits'\n"
    changed = text.replace("import b\n", "import c as b\n") if "import b" in old else None
    assert hashed(root, text) != hashed(root, changed or text.replace(old, new))


MESSAGES = '''import warnings

from bench.errors import UserError


def check(x):
    """Check x."""
    if x < 0:
        raise UserError(f"{x} is less than zero")
    print("checked", x)
    warnings.warn("slow", stacklevel=2)
    assert x, "no x"
    return "text" if x else None
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('f"{x} is less than zero"', '"give a number of at least zero"'),
        ('"checked", x', 'f"x = {x}", x'),
        ('"slow"', '"this takes long"'),
        (', "no x"', ""),
    ],
)
def test_the_text_of_messages_does_not_count(root: Path, old: str, new: str) -> None:
    assert old in MESSAGES
    assert hashed(root, MESSAGES) == hashed(root, MESSAGES.replace(old, new))


def test_other_texts_count(root: Path) -> None:
    assert hashed(root, MESSAGES) != hashed(root, MESSAGES.replace('"text"', '"word"'))


def test_names_and_places_of_modules_do_not_count(tmp_path: Path) -> None:
    """Rename modules of the real code, move one to another package and merge two."""
    before, after = tmp_path / "before", tmp_path / "after"
    for folder in (before, after):
        copy_project(folder)
    bench = after / "bench"
    (bench / "losses.py").rename(bench / "models" / "objectives.py")
    (bench / "models" / "r2plus1d.py").rename(bench / "backbone.py")
    text = (bench / "training" / "embed.py").read_text()
    (bench / "training" / "embed.py").unlink()
    (bench / "training" / "cell_inputs.py").write_text(
        (bench / "training" / "cell_inputs.py").read_text() + text
    )
    names = {
        "bench.losses": "bench.models.objectives",
        "bench.models.r2plus1d": "bench.backbone",
        "bench.training.embed": "bench.training.cell_inputs",
    }
    for path in after.rglob("*.py"):
        text = path.read_text()
        for old, new in names.items():
            text = text.replace(f"from {old} import", f"from {new} import")
        path.write_text(text)
    methods = sorted(path.name for path in (before / "methods").glob("[!_]*.py"))

    def digests(root: Path) -> list[str]:
        fingerprint.forget_code()
        own = [fingerprint.code_digest(root / "methods" / name, root) for name in methods]
        return [fingerprint.core_digest(root), *own]

    assert digests(before) == digests(after)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("lam: float = 10.0", "lam: float = 11.0"),
        ("lam * ", "lam / "),
        ("F.cross_entropy", "F.nll_loss"),
    ],
)
def test_a_default_an_operator_and_a_name_of_real_code_count(
    tmp_path: Path, old: str, new: str
) -> None:
    copy_project(tmp_path)
    method = tmp_path / "methods" / "base_ls.py"
    before = fingerprint.code_digest(method, tmp_path)
    losses = tmp_path / "bench" / "losses.py"
    assert old in losses.read_text()
    losses.write_text(losses.read_text().replace(old, new))
    fingerprint.forget_code()
    assert fingerprint.code_digest(method, tmp_path) != before


def test_a_file_that_a_method_declares_counts(root: Path) -> None:
    text = BASE + '\n    files = ("prompts.json",)\n'
    data = root / "methods" / "prompts.json"
    data.write_text("{}")
    before = hashed(root, text)
    data.write_text('{"a": 1}')
    assert hashed(root, text) != before


def test_cycles_end(root: Path) -> None:
    (root / "bench" / "deep.py").write_text("import bench.used\nnumber = 2, bench.used.number\n")
    path = root / "bench" / "used.py"
    path.write_text("from bench.deep import number\nthird = number\n")
    found = fingerprint.code_files(path, root)
    assert [path.name for path in found] == ["deep.py", "used.py"]


def test_training_core_knows_no_table_no_stage_and_no_command() -> None:
    core = fingerprint.code_files(ROOT / fingerprint.CORE, ROOT)
    names = {path.relative_to(ROOT).as_posix() for path in core}
    assert {"bench/method.py", "bench/data/video/decode.py"} <= names
    outer = ("bench/reports/", "bench/cli/", "bench/pipeline/", "methods/")
    assert not [name for name in names if name.startswith(outer)]


def test_neutral_modules_exist() -> None:
    for name in fingerprint.NEUTRAL:
        path = ROOT / Path(*name.split("."))
        assert path.with_suffix(".py").is_file() or (path / "__init__.py").is_file(), name


def test_a_project_without_the_package_has_the_installed_one(tmp_path: Path) -> None:
    assert fingerprint.core_digest(tmp_path) == fingerprint.core_digest(ROOT)
    path = tmp_path / "methods" / "aurl.py"
    path.parent.mkdir()
    path.write_text((ROOT / "methods" / "aurl.py").read_text(encoding="utf-8"), encoding="utf-8")
    assert fingerprint.code_digest(path, tmp_path) == fingerprint.code_digest(
        ROOT / "methods" / "aurl.py", ROOT
    )
