"""Which files of the project a method opens while its cell runs; the fingerprint must know them."""

import importlib.util
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from bench.config.paths import Layout
from bench.errors import UserError

# What the pipeline itself writes and reads, and the environment.
_OPEN = ("bench", "data", "runs", "splits", "results", ".bench", ".dvc", ".git", ".venv")


class FileGuard:
    """Notes the project's files that are opened or imported within ``with`` and are not declared.

    Python reports every ``open`` to an audit hook; a read by a C library past Python goes unseen.
    """

    def __init__(self, layout: Layout, method: Path) -> None:
        self._root, self._method = layout.root.resolve(), method
        self._folders = [Path(sys.prefix).resolve(), *(self._root / name for name in _OPEN)]
        self._allowed = {method.resolve(), method.resolve().with_name("__init__.py")}
        self._opened: dict[Path, None] = {}

    def allow(self, files: Iterable[Path], *data: Path) -> None:
        """Allow files, and everything in the folders of ``data``."""
        self._allowed |= {file.resolve() for file in files}
        self._folders += [place.resolve() for place in data]

    def check(self) -> None:
        """Raise UserError for the first file that was opened and is not declared."""
        for file in list(self._opened):
            if file not in self._allowed and not any(map(file.is_relative_to, self._folders)):
                self._opened.clear()
                name = os.path.relpath(file, self._method.resolve().parent)
                raise UserError(
                    f"methods/{self._method.name} reads {file.relative_to(self._root)}, which it "
                    f'does not declare: add files = ("{name}",) to its class, so that a change of '
                    "the file trains its cells again"
                )

    def note(self, path: Any) -> None:
        """Note a path that was opened, if it is a file of the project."""
        try:
            text = os.fsdecode(path)
        except TypeError:  # a file descriptor
            return
        if text.endswith(".pyc"):
            try:
                text = importlib.util.source_from_cache(text)
            except ValueError:
                return
        file = Path(os.path.realpath(text))
        if file.is_relative_to(self._root) and file not in self._opened and file.is_file():
            self._opened[file] = None

    def __enter__(self) -> "FileGuard":
        _install()
        _active.append(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        _active.remove(self)


_active: list[FileGuard] = []
_installed: list[bool] = []


def _install() -> None:
    """Add the audit hook of this process; it cannot be removed, so there is one."""
    if not _installed:
        _installed.append(True)
        sys.addaudithook(_hear)


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _active:
        guard = _active.pop()  # what the note itself opens is not the method's
        try:
            guard.note(arguments[0])
        finally:
            _active.append(guard)
