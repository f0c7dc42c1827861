"""The files of ``methods/``: read without running them, and imported when they are to run."""

import ast
import importlib.util
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import UserError
from bench.sources import parsed

if TYPE_CHECKING:
    from bench.method import Method


@dataclass(frozen=True)
class MethodFile:
    """One file of ``methods/``; ``problem`` is "" or "file:line reason"."""

    name: str
    path: Path
    label: str
    problem: str = ""


def scan(root: Path) -> dict[str, MethodFile]:
    """Read every method file's label from its text, running nothing."""
    files = sorted((root / "methods").glob("*.py"))
    return {f.stem: _read(f) for f in files if not f.stem.startswith("_")}


def load(file: MethodFile) -> "type[Method]":
    """Import a method file and return its Method class; raises UserError with file:line reason."""
    from bench.method import Method

    if file.problem:
        raise UserError(file.problem)
    module_name = f"methods.{file.name}"
    spec = importlib.util.spec_from_file_location(module_name, file.path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        sys.modules.pop(module_name, None)
        raise UserError(blame(error, file.path)) from None
    kinds = [
        kind
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Method) and kind.__module__ == module_name
    ]
    if len(kinds) != 1:
        raise UserError(f"{_short(file.path)}:1 has {len(kinds)} Method classes, needs exactly one")
    return kinds[0]


def blame(error: BaseException, path: Path) -> str:
    """Return "file:line reason": the last line of ``path`` that the error passed through.

    An error that did not pass through it (a full disk) is placed in the project's own code.
    """
    frames = traceback.extract_tb(error.__traceback__)
    project = str(path.parent.parent / "bench")
    own = [f for f in frames if f.filename == str(path)]
    own = own or [f for f in frames if f.filename.startswith(project)]
    line = own[-1].lineno or 1 if own else 1
    if isinstance(error, SyntaxError) and error.filename == str(path):
        line = error.lineno or 1
    elif own:
        path = Path(own[-1].filename)
    reason = " ".join(str(error).split()) or "no message"
    if isinstance(error, SyntaxError):
        reason = error.msg
    return f"{_short(path)}:{line} {type(error).__name__}: {reason[:300]}"


def _read(path: Path) -> MethodFile:
    try:
        tree = parsed(path)
    except (SyntaxError, UnicodeDecodeError, ValueError) as error:
        return MethodFile(
            path.stem, path, path.stem, problem=blame(error.with_traceback(None), path)
        )
    label = path.stem
    for node in (n for c in tree.body if isinstance(c, ast.ClassDef) for n in c.body):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = getattr(node, "value", None)
        if getattr(targets[0], "id", "") == "label" and isinstance(value, ast.Constant):
            label = str(value.value or label)
    return MethodFile(path.stem, path, label)


def _short(path: Path) -> str:
    return "/".join(path.parts[-2:])
