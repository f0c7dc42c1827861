"""What a method file declares about itself, read from its text: nothing of it runs.

The literals of its Method class and of the classes in ``bench`` and ``methods`` that it is derived
from.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.experiments.fingerprint import code_root, parsed

_ROOT_CLASS = ("bench.method", "Method")


def declared(path: Path, root: Path) -> dict[str, Any]:
    """Return name -> literal value of the Method class in ``path``, its bases' values included.

    Also ``doc``, its own docstring. Empty where the file has no class derived from Method. A value
    that is no literal (a call, a name) is left out. Raises SyntaxError for a file that cannot be
    parsed.
    """
    for node in parsed(path).body:
        if isinstance(node, ast.ClassDef) and (found := _collect(node, path, root)) is not None:
            return found | {"doc": ast.get_docstring(node) or ""}
    return {}


def _collect(node: ast.ClassDef, path: Path, root: Path) -> dict[str, Any] | None:
    """Return the values of a class and its bases; None if it is not derived from Method."""
    found: dict[str, Any] | None = None
    for base in node.bases:
        inherited = _base(ast.unparse(base), path, root)
        if inherited is not None:
            found = (found or {}) | inherited
    if found is None:
        return None
    return found | dict(_literals(node))


def _base(name: str, path: Path, root: Path) -> dict[str, Any] | None:
    for node in parsed(path).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return _collect(node, path, root)
        for known, full in _imported(node):
            if f"{name}.".startswith(f"{known}."):
                module, _, kind = (full + name[len(known) :]).rpartition(".")
                own = module.startswith("methods.")
                file = (root if own else code_root(root)) / f"{module.replace('.', '/')}.py"
                if (module, kind) == _ROOT_CLASS:
                    return _method_defaults(file)
                if module.startswith(("bench.", "methods.")) and file.is_file():
                    return _base(kind, file, root)
    return None


def _imported(node: ast.stmt) -> Iterator[tuple[str, str]]:
    """Yield the name under which an import makes something known, and its full name."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.asname or alias.name, alias.name
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        for alias in node.names:
            yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _method_defaults(file: Path) -> dict[str, Any]:
    nodes = parsed(file).body if file.is_file() else []
    own = next((n for n in nodes if isinstance(n, ast.ClassDef) and n.name == "Method"), None)
    return dict(_literals(own)) if own else {}


def _literals(node: ast.ClassDef) -> Iterator[tuple[str, Any]]:
    for name, line in _assigned(node):
        try:
            if line.value:
                yield name, ast.literal_eval(line.value)
        except (ValueError, TypeError):
            continue


def _assigned(node: ast.ClassDef) -> Iterator[tuple[str, ast.Assign | ast.AnnAssign]]:
    for line in node.body:
        if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
            yield line.targets[0].id, line
        elif isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            yield line.target.id, line


def line_of(path: Path, name: str) -> int:
    """Return the last line of ``path`` that sets ``name`` in a class; 1 if it is inherited."""
    kinds = [node for node in parsed(path).body if isinstance(node, ast.ClassDef)]
    return max((line.lineno for k in kinds for n, line in _assigned(k) if n == name), default=1)


def annotation_of(path: Path, name: str) -> tuple[str, int]:
    """Return what ``path`` annotates in a class with a type that mentions ``name``, and the line.

    ("", 1) if nothing.
    """
    kinds = (node for node in parsed(path).body if isinstance(node, ast.ClassDef))
    for parameter, line in (one for kind in kinds for one in _assigned(kind)):
        if isinstance(line, ast.AnnAssign) and name in ast.unparse(line.annotation):
            return parameter, line.lineno
    return "", 1


def known_inputs(root: Path) -> tuple[str, ...]:
    """Return the INPUTS of ``bench.method``, from its text: to import it takes torch."""
    for node in parsed(code_root(root) / "bench" / "method.py").body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "INPUTS":
            return tuple(ast.literal_eval(node.value))
    return ()
