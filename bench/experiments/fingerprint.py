"""Hashes of source code that comments, docstrings and layout do not change."""

import ast
from functools import cache
from pathlib import Path

from bench.utils.io import digest

# These cannot change a number, so that mending a message does not outdate every result.
NEUTRAL = frozenset(
    f"bench{name}"
    for name in (
        "",
        ".experiments.method_declarations",
        ".errors",
        ".utils.io",
        ".config.paths",
        ".utils.processes",
        ".utils.progress",
        ".experiments.method_registry",
        ".experiments.fingerprint",
        ".utils.terminal",
    )
)


def code_root(root: Path) -> Path:
    """Return the folder whose ``bench/`` is the code: the project's own, else the installed one."""
    own = (root / "bench" / "__init__.py").is_file()
    return root if own else Path(__file__).resolve().parents[2]


@cache
def parsed(path: Path) -> ast.Module:
    """Parse a source file (``SyntaxError`` if it is none)."""
    try:
        return _tree(path.read_text(encoding="utf-8-sig"))  # Python takes a byte order mark, too
    except SyntaxError as error:
        error.filename = str(path)
        raise


@cache
def _tree(text: str) -> ast.Module:
    """Parse a text; once, whatever the number of files and of times that it is read."""
    return ast.parse(text)


@cache
def normalised(path: Path) -> str:
    """Return a file's code without comments, docstrings and layout."""
    return _plain(parsed(path))


@cache
def _plain(tree: ast.Module) -> str:
    """Return a tree's code without docstrings; what is taken off the shared tree is put back."""
    taken = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                taken.append((node, node.body))
                node.body = node.body[1:] or [ast.Pass()]
    try:
        return ast.unparse(tree)
    finally:
        for node, body in taken:
            node.body = body


@cache
def _import_nodes(tree: ast.Module) -> list[ast.Import | ast.ImportFrom]:
    """Return a file's import statements; of one tree, since a file may have changed since."""
    return [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]


def imports(path: Path, root: Path) -> set[Path]:
    """Return the project's own files that ``path`` imports directly (functions' imports too)."""
    names: set[str] = set()
    for node in _import_nodes(parsed(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        else:
            above = _named(path, root).parts[: -node.level] if node.level else ()
            module = ".".join((*above, *filter(None, [node.module])))
            names |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    own = {name for name in names if name.split(".")[0] in {"bench", "methods"}} - NEUTRAL
    code = code_root(root)
    places = [(code if n.startswith("bench") else root) / Path(*n.split(".")) for n in own]
    files = (file for p in places for file in (p.with_suffix(".py"), p / "__init__.py"))
    return {file for file in files if file.is_file()}


def _named(path: Path, root: Path) -> Path:
    """Return a file's path in the project, which is the same where ``bench`` is installed."""
    code = code_root(root)
    return path.relative_to(code if path.is_relative_to(code / "bench") else root)


def closure(path: Path, root: Path) -> list[Path]:
    """Return ``path`` and every project file that it imports, directly or not, sorted.

    ``root / "bench" / …`` is the installed file where the project has no ``bench/`` of its own.
    """
    seen: set[Path] = set()
    todo = {path if path.is_file() else code_root(root) / path.relative_to(root)}
    while todo:
        file = todo.pop()
        seen.add(file)
        todo |= imports(file, root) - seen
    return sorted(seen)


def source_digest(path: Path, root: Path) -> str:
    """Hash the code of ``path`` and of all that it imports from the project."""
    files = closure(path, root)
    return digest({str(_named(f, root)): normalised(f) for f in files})
