"""Digest of what code does: the code that a result depends on, whatever its names and messages.

``code_digest`` follows a file's definitions to all that they use in the project, definition by
definition. It does not change with the names and places of modules, import lines, the order of
definitions, comments, docstrings, annotations of functions, or the text of messages (in ``raise``,
``assert``, ``print`` and ``warn``). It changes with every constant, default, operator and name.
"""

import ast
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from bench.utils.io import digest, file_digest

CORE = Path("bench", "training", "run_cell.py")
# Packages and modules that decide no number: they report, lock, and read and write files.
NEUTRAL = (
    "bench.errors",
    "bench.utils",
    "bench.config.paths",
    "bench.data.formats",
    "bench.experiments.fingerprint",
    "bench.experiments.method_registry",
    "bench.experiments.record",
)
_DESCRIBES = {"label", "approximates"}  # attributes of a method that tables print
Target = tuple[str, tuple[str, ...]]  # what an import binds a name to: a module, names in it
_SAYS = {"print", "warn", "warning", "info", "debug", "error"}  # calls whose texts are messages


class Node(NamedTuple):
    """A definition in a file; ``name`` is "" for the whole file and "*" for its statements."""

    path: Path
    name: str


@dataclass
class Definition:
    """The form of one or more statements, without names of modules, and the names that they use."""

    form: str = ""
    uses: dict[str, None] = field(default_factory=dict)  # dotted names, in order
    types: dict[str, None] = field(default_factory=dict)  # names in annotations only
    imports: dict[str, Target] = field(default_factory=dict)  # inside the definition
    modules: dict[str, None] = field(default_factory=dict)  # of import_module("…")


@dataclass
class Module:
    """The top level of a file."""

    imports: dict[str, Target] = field(default_factory=dict)
    definitions: dict[str, Definition] = field(default_factory=dict)
    statements: Definition = field(default_factory=Definition)
    stars: list[str] = field(default_factory=list)  # modules of ``from m import *``


def code_root(root: Path) -> Path:
    """Return the folder whose ``bench/`` is the code: the project's own, else the installed one."""
    own = (root / "bench" / "__init__.py").is_file()
    return root if own else Path(__file__).resolve().parents[2]


@cache
def parsed(path: Path) -> ast.Module:
    """Parse a source file; ``SyntaxError`` names the file."""
    _read[path] = _stamp(path)
    try:
        return ast.parse(path.read_text(encoding="utf-8-sig"))  # as Python, ignore a BOM
    except SyntaxError as error:
        error.filename = str(path)
        raise


def classes(path: Path) -> list[ast.ClassDef]:
    """Return the classes at the top level of a file."""
    return [node for node in parsed(path).body if isinstance(node, ast.ClassDef)]


def assignments(kind: ast.ClassDef) -> Iterator[tuple[str, ast.Assign | ast.AnnAssign]]:
    """Yield the names that a class assigns or annotates, with the statements."""
    for line in kind.body:
        target = line.targets[0] if isinstance(line, ast.Assign) else None
        target = line.target if isinstance(line, ast.AnnAssign) else target
        if isinstance(target, ast.Name) and isinstance(line, (ast.Assign, ast.AnnAssign)):
            yield target.id, line


def literals(kind: ast.ClassDef) -> dict[str, Any]:
    """Return name -> value of what a class sets to a literal."""
    found = {}
    for name, line in assignments(kind):
        with suppress(ValueError, TypeError):
            if line.value:
                found[name] = ast.literal_eval(line.value)
    return found


def forget_code() -> None:
    """Drop the cache of source files."""
    _read.clear()
    for cached in (parsed, _module, _walk):
        cached.cache_clear()


def refresh_code() -> None:
    """Drop the cache of source files if one of them has changed."""
    if any(_stamp(path) != stamp for path, stamp in _read.items()):
        forget_code()


_read: dict[Path, tuple[int, int]] = {}


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


def code_digest(path: Path, root: Path) -> str:
    """Return the digest of all definitions in ``path`` and of all that they use in the project.

    ``root / "bench" / …`` is the installed file where the project has no ``bench/``. Files that a
    class declares (``files = ("prompts.json",)``, relative to its own file) count with their bytes.
    Raises ``SyntaxError`` for a file that cannot be parsed, ``OSError`` for one that is not there.
    """
    return _walk(path, root)[0]


def core_digest(root: Path) -> str:
    """Return the digest of the code that trains and evaluates every cell."""
    return code_digest(root / CORE, root)


def code_files(path: Path, root: Path) -> list[Path]:
    """Return the files whose definitions ``code_digest`` covers, sorted."""
    return sorted(_walk(path, root)[1])


@cache
def _walk(path: Path, root: Path) -> tuple[str, frozenset[Path]]:
    """Number the definitions in the order of their first use and hash their forms.

    References are to numbers, so that neither files nor modules have names in the digest.
    """
    numbers: dict[Node, int] = {}
    todo: deque[Node] = deque()

    def number(node: Node) -> int:
        if node not in numbers:
            numbers[node] = len(numbers)
            todo.append(node)
        return numbers[node]

    number(Node(path if path.is_file() else code_root(root) / path.relative_to(root), ""))
    lines = []
    while todo:
        node = todo.popleft()
        module = _module(node.path)
        line: list[object] = []
        if node.name == "":
            line += [[name, number(Node(node.path, name))] for name in sorted(module.definitions)]
            stars = filter(None, (_find(star, node.path, root) for star in module.stars))
            line += [number(Node(star, "")) for star in stars]
        if module.statements.form and node.name != "*":
            line.append(number(Node(node.path, "*")))
        if node.name:
            own = module.statements if node.name == "*" else module.definitions[node.name]
            names = module.imports | own.imports
            line.append(own.form)
            for use in own.uses:
                target = _resolve(use, names, node.path, root)
                if target is not None:
                    line.append([use, number(target) if isinstance(target, Node) else target])
            for name in own.modules:
                found = _find(name, node.path, root)
                line.append(number(Node(found, "")) if found else name)
            for use in own.types:
                target = _resolve(use, names, node.path, root)
                if isinstance(target, Node):
                    number(target)
            for file in (node.path.parent / name for name in _files(node)):
                _read[file] = _stamp(file)
                line.append([file.name, file_digest(file)])
        lines.append(line)
    return digest(lines), frozenset(node.path for node in numbers)


def _files(node: Node) -> list[str]:
    """Return the data files that a class declares as ``files``."""
    own = (literals(kind) for kind in classes(node.path) if kind.name == node.name)
    declared = [found.get("files", ()) for found in own]
    return [str(name) for names in declared if isinstance(names, (tuple, list)) for name in names]


def definition(name: str, path: Path, root: Path) -> Node | None:
    """Return the project's definition that a dotted name at the top level of ``path`` means."""
    found = _resolve(name, _module(path).imports, path, root)
    return found if isinstance(found, Node) else None


def _resolve(use: str, imports: Mapping[str, Target], path: Path, root: Path) -> Node | str | None:
    """Return the definition that a dotted name means in a file.

    A name from outside the project is returned as text; None: a local name, a builtin, or neutral.
    """
    head, *rest = use.split(".")
    if head not in imports:
        return Node(path, head) if head in _module(path).definitions else None
    module, names = imports[head]
    return _follow(module, [*names, *rest], bool(names), path, root)


def _follow(
    module: str, names: list[str], imported: bool, path: Path, root: Path
) -> Node | str | None:
    """Follow ``names`` from a module to a definition, over packages and imports of imports."""
    if any(f"{module}.".startswith(f"{one}.") for one in NEUTRAL):
        return None
    file = _find(module, path, root)
    if file is None:
        return f"{module}.{names[0]}" if imported else module
    if not names:
        return Node(file, "")
    first, *rest = names
    found = _module(file)
    if first in found.definitions:
        return Node(file, first)
    if first in found.imports:
        target, inside = found.imports[first]
        return _follow(target, [*inside, *rest], bool(inside), file, root)
    inner = f"{module}{'' if module.endswith('.') else '.'}{first}"
    if _find(inner, path, root) is not None:
        return _follow(inner, rest, False, path, root)
    return None if first.startswith("__") else Node(file, "")


def _find(module: str, path: Path, root: Path) -> Path | None:
    """Return the project's file of a module; leading dots are relative to the package of ``path``.

    A module in the project's root counts as the project's, as Python imports it from there.
    """
    up = len(module) - len(module.lstrip("."))
    parts = [part for part in module[up:].split(".") if part]
    base = path.parents[up - 1] if up else code_root(root) if parts[0] == "bench" else root
    place = base.joinpath(*parts)
    files = place.with_name(f"{place.name}.py"), place / "__init__.py"
    return next((file for file in files if file.is_file()), None)


@cache
def _module(path: Path) -> Module:
    """Read the top level of a file."""
    found = Module()
    for node in _statements(parsed(path).body):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for name, target in _bound(node):
                if name == "*":
                    found.stars.append(target[0])
                else:
                    found.imports[name] = target
        else:
            for name in _defined(node) or [""]:
                own = found.definitions.setdefault(name, Definition()) if name else found.statements
                own.form += _Former(own).form(node)
    return found


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield top-level statements; those under ``if TYPE_CHECKING`` or ``try`` as well."""
    for node in body:
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            yield from _statements(node.body)
        elif isinstance(node, ast.Try) and all(isinstance(one, ast.Import) for one in node.body):
            yield from node.body
            yield node
        elif not _is_docstring(node):
            yield node


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [node.name]
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, (ast.AnnAssign, ast.AugAssign)):
        targets = [node.target]
    flat = [one for t in targets for one in (t.elts if isinstance(t, ast.Tuple) else [t])]
    return [t.id for t in flat if isinstance(t, ast.Name)]


def _bound(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, Target]]:
    """Yield the names that an import binds, with their targets."""
    for alias in node.names:
        if isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield alias.asname or alias.name, (module, (alias.name,))
        else:
            module = alias.name if alias.asname else alias.name.partition(".")[0]
            yield alias.asname or module, (module, ())


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


class _Former:
    """Writes statements as text that is the same in every version of Python, and collects names."""

    def __init__(self, definition: Definition) -> None:
        self._found = definition
        self._quiet = False  # within a message
        self._typing = False  # within an annotation
        self._local: list[set[str]] = []  # names of variables of the functions around

    def form(self, node: object) -> str:
        if isinstance(node, list):
            return "[" + " ".join(filter(None, map(self.form, node))) + "]"
        if not isinstance(node, ast.AST):
            return repr(node)
        if _is_docstring(node) or isinstance(node, ast.expr_context):
            return ""
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            self._found.imports |= dict(_bound(node))
            return ""
        if isinstance(node, (ast.Name, ast.Attribute)) and (dotted := _dotted(node)):
            if not any(dotted.partition(".")[0] in names for names in self._local):
                (self._found.types if self._typing else self._found.uses)[dotted] = None
            return dotted
        if isinstance(node, _FUNCTIONS):
            self._local.append(_variables(node))
            text = self._fields(node)
            self._local.pop()
            return text
        if isinstance(node, ast.Constant):
            return self._constant(node.value)
        if isinstance(node, ast.JoinedStr) and self._quiet:
            return "message"
        called = _dotted(node.func) if isinstance(node, ast.Call) else ""
        if (
            isinstance(node, ast.Raise)
            or called.rpartition(".")[2] in _SAYS
            or (isinstance(node, ast.Assign) and _DESCRIBES & set(_defined(node)))
        ):
            before, self._quiet = self._quiet, True
            text = self._fields(node)
            self._quiet = before
            return text
        if isinstance(node, ast.Call) and called.endswith("import_module") and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                self._found.modules[first.value] = None
                return "import_module"
        return self._fields(node)

    def _constant(self, value: object) -> str:
        if isinstance(value, str):
            if self._quiet:
                return "message"
            if self._typing:  # a forward reference
                try:
                    return self.form(ast.parse(value, mode="eval").body)
                except SyntaxError:
                    return repr(value)
        return repr(value)

    def _fields(self, node: ast.AST) -> str:
        """Write a node; annotations of functions and local variables only give names."""
        parts = []
        for name, value in ast.iter_fields(node):
            if value is None or value == [] or name in ("type_comment", "type_params", "kind"):
                continue
            if name in ("annotation", "returns"):
                before, self._typing = self._typing, True
                text = self.form(value)
                self._typing = before
                if isinstance(node, ast.AnnAssign):  # fields of classes are declarations
                    parts.append(f"{name}={text}")
            elif name in ("defaults", "kw_defaults") or (
                name == "decorator_list" and isinstance(node, _FUNCTIONS)
            ):  # evaluated outside of the function
                own = self._local.pop()
                parts.append(f"{name}={self.form(value)}")
                self._local.append(own)
            elif not (isinstance(node, ast.Assert) and name == "msg"):
                parts.append(f"{name}={self.form(value)}")
        return f"{type(node).__name__}({' '.join(parts)})"


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_SCOPES = (*_FUNCTIONS, ast.ClassDef, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def _variables(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> set[str]:
    """Return the parameters and local variables of a function, without those of inner scopes."""
    given = function.args
    plain = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    names = {one.arg for one in plain if one}
    todo: list[ast.AST] = [] if isinstance(function, ast.Lambda) else list(function.body)
    outer: set[str] = set()
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            outer |= set(node.names)
        if not isinstance(node, _SCOPES):
            todo += ast.iter_child_nodes(node)
    return names - outer


def _dotted(node: ast.expr) -> str:
    """Return "a.b.c" of such an expression, else ""."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(names)]) if isinstance(node, ast.Name) else ""
