"""Method files: read without running them; what is wrong with one is said as file:line reason."""

from pathlib import Path
from typing import Any, get_args

import pytest
from project import ROOT

from bench.errors import UserError
from bench.experiments import fingerprint as sources
from bench.experiments.method_registry import (
    LEARNING,
    MethodFile,
    blame,
    declared,
    known_inputs,
    load,
    scan,
)
from bench.method import INPUTS, Method, create, parameters_of
from bench.utils.io import write_text

GOOD = '''"""A method."""
from bench.method import Method

HELP = [Method]


class Helper:
    label = "not the row's name"


class Mine(Method):
    label = "My row"
    lam: float = 10.0
    kind: str = "a"
'''


def put(root: Path, name: str, text: str | bytes) -> MethodFile:
    folder = root / "methods"
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.py"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    sources.forget_code()
    return scan(root)[name]


def test_scan_reads_the_label_without_running_the_file(tmp_path: Path) -> None:
    file = put(tmp_path, "good", GOOD + "\nraise SystemExit('was run')\n")
    assert (file.label, file.problem) == ("My row", "")


def test_scan_takes_no_private_file_and_sorts(tmp_path: Path) -> None:
    for name in ("b", "a"):
        put(tmp_path, name, GOOD)
    for name in ("__init__.py", "_shared.py", "notes.txt"):
        (tmp_path / "methods" / name).write_text("")
    assert list(scan(tmp_path)) == ["a", "b"]


def test_scan_takes_no_file_of_an_editor_and_no_folder(tmp_path: Path) -> None:
    put(tmp_path, "good", GOOD)
    folder = tmp_path / "methods"
    (folder / ".#good.py").symlink_to("user@host.1234:5678")
    (folder / "._good.py").write_bytes(b"\x00\x05\x16\x07")
    (folder / "gone.py").symlink_to("nowhere")
    (folder / "folder.py").mkdir()
    assert list(scan(tmp_path)) == ["good"]


def test_a_file_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, **how: str) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_text", refuse)
    problem = put(tmp_path, "mine", GOOD).problem
    assert problem.startswith("methods/mine.py:1 PermissionError: [Errno 13] Permission denied")


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    file = put(tmp_path, "marked", b"\xef\xbb\xbf" + GOOD.encode())
    assert (file.label, file.problem) == ("My row", "")
    with_mark = sources.code_digest(file.path, tmp_path)
    sources.forget_code()
    assert with_mark == sources.code_digest(put(tmp_path, "marked", GOOD).path, tmp_path)


def test_load_gives_the_one_class(tmp_path: Path) -> None:
    kind = load(put(tmp_path, "good", GOOD))
    assert issubclass(kind, Method)
    assert parameters_of(kind) == {"freeze_backbone": False, "lam": 10.0, "kind": "a"}


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("x = 1\ndef f(:\n", 2, "SyntaxError"),
        ("x = 1\n  y = 2\n", 2, "IndentationError"),
        ("import bench.method\nimport nothing_of_this_name\n", 2, "ModuleNotFoundError"),
        ("from bench.losses import nec\n", 1, "cannot import name 'nec'"),
        ("x = 1\n\n\nx / 0\n", 4, "ZeroDivisionError"),
        ("raise SystemExit(3)\n", 1, "SystemExit"),
        ("raise ValueError('two\\nlines')\n", 1, "two lines"),
        ("x = 1\n", 1, "0 Method classes"),
        (GOOD + "\n\nclass Other(Method):\n    pass\n", 1, "2 Method classes"),
        (GOOD + "    law: type = dict\n", 15, "law = <class 'dict'> cannot be written to a record"),
        (GOOD + "    size: int = 'big'\n", 15, "size = 'big': Input should be a valid integer"),
        (GOOD + "    law: object() = 5\n", 15, "law Unable to generate pydantic-core schema"),
        (GOOD + "    top: float = float('inf')\n", 15, "parameter top = inf cannot be written"),
        (
            "from __future__ import annotations\n"
            + GOOD.split('"""\n')[1]
            + "    at: Path | None = None\n",
            15,
            "annotation of 'at': name 'Path' is not defined; import what it names",
        ),
        (b"x = '\xff'\n", 1, "Error"),
        (b"x = '\x00'\n", 1, "null bytes"),
    ],
)
def test_what_is_wrong(tmp_path: Path, text: str | bytes, line: int, reason: str) -> None:
    with pytest.raises(UserError) as error:
        load(put(tmp_path, "wrong", text))
    message = str(error.value)
    assert message.startswith(f"methods/wrong.py:{line} ")
    assert reason in message
    assert "\n" not in message


def test_text_errors_show_in_the_scan_already(tmp_path: Path) -> None:
    assert put(tmp_path, "wrong", "def f(:\n").problem.startswith("methods/wrong.py:1 SyntaxError")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ('needs = ["video", "texts"]', "is no tuple; write needs = ('video', 'texts')"),
        ('wants = ("texts")', "is no tuple; write wants = ('texts',)"),
        ('needs = ("video", "text")', "needs 'text', which is no input; did you mean 'texts'?"),
        ('learning = "closed_form"', "is no way of learning; did you mean 'closed form'?"),
        ("modern = 1", "modern = 1 is no bool"),
        ("label = None", "label = None is no str"),
    ],
)
def test_a_declared_value_that_means_nothing(tmp_path: Path, value: str, said: str) -> None:
    file = put(tmp_path, "odd", GOOD.replace("    lam:", f"    {value}\n    lam:"))
    assert file.problem.startswith("methods/odd.py:13 ") and said in file.problem


def test_the_ways_of_learning_are_those_of_the_contract() -> None:
    (literal,) = get_args(Method.__annotations__["learning"])
    assert get_args(literal) == LEARNING


def test_a_base_whose_file_is_broken(tmp_path: Path) -> None:
    put(tmp_path, "broken", "x = 1\ndef f(:\n")
    file = put(tmp_path, "heir", "from methods.broken import X\n\n\nclass Mine(X):\n    pass\n")
    assert file.problem.startswith("methods/broken.py:2 SyntaxError")


def test_blame_falls_on_the_file_or_on_the_project_but_not_on_a_bystander() -> None:
    def caught(full_disk: bool) -> Exception:
        try:
            if full_disk:
                write_text(Path("/proc/no/such/place"), "x")
            raise ValueError("own")
        except Exception as error:
            return error

    assert blame(caught(False), Path(__file__)).startswith("experiments/test_method_registry.py:")
    method = ROOT / "methods" / "aurl.py"
    assert blame(caught(True), method).startswith("utils/io.py:")


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({"lamm": 1}, "unknown parameter of method typed 'lamm'; did you mean 'lam'"),
        ({"lam": "ten"}, "Mine.lam = 'ten'"),
        ({"freeze_backbone": "perhaps"}, "freeze_backbone"),
    ],
)
def test_parameters_are_checked(tmp_path: Path, values: dict[str, object], wrong: str) -> None:
    kind = load(put(tmp_path, "typed", GOOD))
    assert create(kind, {"lam": 3}).lam == 3.0  # type: ignore[attr-defined]
    with pytest.raises(UserError, match=wrong):
        create(kind, values)


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
