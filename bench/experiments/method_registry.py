"""The files of ``methods/``: their declarations, read without running them, and their import."""

import ast
import importlib.util
import json
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import UserError, nearest
from bench.experiments.fingerprint import (
    assignments,
    classes,
    code_root,
    definition,
    literals,
    parsed,
)
from bench.utils.io import dump_json

if TYPE_CHECKING:
    from bench.method import Method

LEARNING = ("steps", "closed form", "none")


def declared(path: Path, root: Path) -> dict[str, Any]:
    """Return name -> literal value of the Method class in ``path``, its bases' values included.

    Also ``doc``, its own docstring. Empty if the file has no class derived from Method. Values that
    are not literals (a call, a name) are left out. Raises SyntaxError for a file that cannot be
    parsed.
    """
    for kind in classes(path):
        if (found := _collect(kind, path, root)) is not None:
            return found | {"doc": ast.get_docstring(kind) or ""}
    return {}


def _collect(kind: ast.ClassDef, path: Path, root: Path) -> dict[str, Any] | None:
    """Return the values of a class and its bases; None if it is not derived from Method."""
    found: dict[str, Any] | None = None
    for base in kind.bases:
        at = definition(ast.unparse(base), path, root)
        for parent in classes(at.path) if at else ():
            if at and parent.name == at.name:
                of_all = at == (code_root(root) / "bench" / "method.py", "Method")
                inherited = literals(parent) if of_all else _collect(parent, at.path, root)
                if inherited is not None:
                    found = (found or {}) | inherited
    return None if found is None else found | literals(kind)


def line_of(path: Path, name: str) -> int:
    """Return the last line of ``path`` that sets ``name`` in a class; 1 if it is inherited."""
    lines = (one for kind in classes(path) for one in assignments(kind))
    return max((line.lineno for known, line in lines if known == name), default=1)


def annotation_of(path: Path, name: str) -> tuple[str, int]:
    """Return the class attribute whose annotation mentions ``name`` and its line, or ("", 1)."""
    for parameter, line in (one for kind in classes(path) for one in assignments(kind)):
        if isinstance(line, ast.AnnAssign) and name in ast.unparse(line.annotation):
            return parameter, line.lineno
    return "", 1


def known_inputs(root: Path) -> tuple[str, ...]:
    """Return the INPUTS of ``bench.method`` from its text: importing it would import torch."""
    for node in parsed(code_root(root) / "bench" / "method.py").body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "INPUTS":
            return tuple(ast.literal_eval(node.value))
    return ()


@dataclass(frozen=True)
class MethodFile:
    """One file of ``methods/``; ``problem`` is "" or "file:line reason".

    The rest is what its class declares (see ``bench.method.Method``).
    """

    name: str
    path: Path
    label: str
    problem: str = ""
    needs: tuple[str, ...] = ("video",)
    wants: tuple[str, ...] = ()
    learning: str = "steps"
    approximates: str = ""
    modern: bool = False
    freeze_backbone: bool = False
    files: tuple[str, ...] = ()
    doc: str = ""

    def uses(self, values: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the inputs that it needs and those that it wants, with these parameters set.

        Clips of a frozen backbone are its ``features``.
        """
        frozen = values.get("freeze_backbone", self.freeze_backbone)
        needs = tuple("features" if n == "video" and frozen else n for n in self.needs)
        return tuple(dict.fromkeys(needs)), self.wants


def scan(root: Path) -> dict[str, MethodFile]:
    """Read what every method file declares from its text, running nothing."""
    # A leading dot marks files of editors and systems: locks (dangling links), attributes.
    files = sorted((root / "methods").glob("[!_.]*.py"))
    return {f.stem: _read(f, root) for f in files if f.is_file()}


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
    _check_parameters(kinds[0], file.path)
    return kinds[0]


def _check_parameters(kind: "type[Method]", path: Path) -> None:
    """Raise UserError for parameters that a record could not restore.

    A type that is missing or that its default does not have, or a default that JSON cannot hold:
    trained cells are opened again with the values in their records.
    """
    from pydantic import PydanticUserError

    from bench.method import create, parameters_of

    try:
        values = parameters_of(kind)
    except Exception as raised:
        named = isinstance(raised.__context__, NameError)  # which says which name, and where
        error = raised.__context__ if named else raised
        name, line = annotation_of(path, str(getattr(error, "name", None) or ""))
        raise UserError(
            f"{_short(path)}:{line} annotation of '{name}': {' '.join(str(error).split())}; import "
            "what it names where the file runs, not only under TYPE_CHECKING"
        ) from None
    for name, value in values.items():
        try:
            written = json.loads(dump_json(value))
        except (TypeError, ValueError, RecursionError):
            shown = " ".join(repr(value).split())[:80]
            raise UserError(
                f"{_short(path)}:{line_of(path, name)} parameter {name} = {shown} cannot be "
                "written to a record; take a number, text, bool, None, or a list or dict of them"
            ) from None
        try:
            create(kind, {name: written})
        except (UserError, PydanticUserError) as error:
            why = str(error).splitlines()[0].removeprefix(f"{kind.__name__}.{name} ")
            raise UserError(
                f"{_short(path)}:{line_of(path, name)} parameter {name} {why}; give it a type that "
                "its default has, of numbers, text, bool, None, lists and dicts"
            ) from None


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


def _read(path: Path, root: Path) -> MethodFile:
    try:
        found = declared(path, root)
    except (SyntaxError, ValueError, RecursionError, OSError) as error:
        # A base's file may be the one that is wrong.
        where = Path(getattr(error, "filename", None) or path)
        reason = blame(error.with_traceback(None), where)
        return MethodFile(path.stem, path, path.stem, problem=reason)
    kinds = {"label": str} | {one.name: type(one.default) for one in fields(MethodFile)[4:]}
    fits: dict[str, Any] = {"label": path.stem}
    problem = ""
    for name, kind in kinds.items():
        value = found.get(name)
        if name not in found or (name, value) == ("label", ""):
            continue
        if wrong := _wrong(name, value, kind, root, path.parent):
            problem = problem or f"{_short(path)}:{line_of(path, name)} {wrong}"
        else:
            fits[name] = value
    return MethodFile(path.stem, path, problem=problem, **fits)


def _wrong(name: str, value: Any, kind: type[Any], root: Path, folder: Path) -> str:
    """Return what is wrong with a declared value and what to write, "" if nothing is."""
    shown = f"{name} = {repr(value)[:80]}"
    if kind is tuple and not isinstance(value, tuple):
        names = [value] if isinstance(value, str) else value if isinstance(value, list) else []
        return f"{shown} is no tuple; write {name} = {tuple(names) or ('features', 'texts')}"
    if not isinstance(value, kind):
        return f"{shown} is no {kind.__name__}"
    if name == "learning" and value not in LEARNING:
        return f"{shown} is no way of learning{nearest(value, LEARNING)}"
    if name == "files":
        absent = [str(one) for one in value if not (folder / str(one)).is_file()]
        return f"files: {folder.name}/{absent[0]} is missing" if absent else ""
    if kind is tuple:
        known = known_inputs(root)
        for one in value:
            if one not in known:
                return f"{name} '{one}', which is no input{nearest(str(one), known)}"
    return ""


def _short(path: Path) -> str:
    return "/".join(path.parts[-2:])
