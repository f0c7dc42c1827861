"""What a method file declares about itself, read from its text: nothing of it runs.

The literals of its Method class and of the classes in ``bench`` that it is derived from.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.sources import code_root, parsed

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
        if not isinstance(base, ast.Name):
            continue
        inherited = _base(base.id, path, root)
        if inherited is not None:
            found = (found or {}) | inherited
    if found is None:
        return None
    return found | dict(_literals(node))


def _base(name: str, path: Path, root: Path) -> dict[str, Any] | None:
    for node in parsed(path).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return _collect(node, path, root)
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                if (alias.asname or alias.name) != name:
                    continue
                file = code_root(root) / Path(*node.module.split(".")).with_suffix(".py")
                if (node.module, alias.name) == _ROOT_CLASS:
                    return _method_defaults(file)
                if node.module.startswith("bench.") and file.is_file():
                    return _base(alias.name, file, root)
    return None


def _method_defaults(file: Path) -> dict[str, Any]:
    nodes = parsed(file).body if file.is_file() else []
    own = next((n for n in nodes if isinstance(n, ast.ClassDef) and n.name == "Method"), None)
    return dict(_literals(own)) if own else {}


def _literals(node: ast.ClassDef) -> Iterator[tuple[str, Any]]:
    for line in node.body:
        if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
            name, value = line.targets[0].id, line.value
        elif isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and line.value:
            name, value = line.target.id, line.value
        else:
            continue
        try:
            yield name, ast.literal_eval(value)
        except ValueError:
            continue
