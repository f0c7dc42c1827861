"""What goes to a terminal: no control characters of others, no wider than it, colour if wanted."""

import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any, TextIO, cast

from bench.errors import visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_RESET = "\x1b[0m"


class Plain:
    """A text stream: names and reasons come from files of others, and a terminal obeys escapes."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write ``text`` with its control characters made visible."""
        if text == _RESET:  # colorama, where a library started it, when the process ends
            return 0
        return self.stream.write(visible(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextmanager
def plain_output() -> Iterator[None]:
    """Make stdout and stderr ``Plain`` within the block."""
    if isinstance(sys.stdout, TextIOWrapper):  # an encoding without ± gets "?"; stderr escapes it
        sys.stdout.reconfigure(errors="replace")
    out, err = (cast(TextIO, Plain(stream)) for stream in (sys.stdout, sys.stderr))
    with redirect_stdout(out), redirect_stderr(err):
        yield


def on_terminal() -> bool:
    """Return whether stdout is a terminal: a person reads it, who wants it to fit."""
    return sys.stdout.isatty()


def bar_console() -> "Console | None":
    """Return a console on stderr for a moving bar; None where none can move (a file, TERM=dumb)."""
    if not sys.stderr.isatty() or _is_dumb():
        return None
    return _console(sys.stderr)


def console() -> "Console":
    """Return a console on stdout as wide as the terminal; what it prints must be ``shown``.

    No escape at all leaves it where NO_COLOR is set or TERM is dumb.
    """
    return _console(sys.stdout)


def shown(text: str, style: str = "") -> "Text":
    """Return ``text`` in one line, control characters made visible, in a style of rich."""
    from rich.text import Text

    return Text(visible(" ".join(text.split())), style)


def print_title(text: str) -> None:
    """Print a line, which a terminal shows bold and wraps."""
    if on_terminal():
        console().print(shown(text, "bold"))
    else:
        print(text)


def print_hanging(line: str, indent: int) -> None:
    """Print a line; a terminal wraps it, and what is wrapped begins at column ``indent``."""
    if not on_terminal():
        print(line)
        return
    width = max(shutil.get_terminal_size().columns, indent + 20)
    print(
        textwrap.fill(
            line, width, subsequent_indent=" " * indent, break_on_hyphens=False,
            replace_whitespace=False,
        )
    )  # fmt: skip


def print_pairs(pairs: Iterable[tuple[str, str]], style: str = "bold", indent: int = 0) -> None:
    """Print names, in ``style`` on a terminal, and beside them texts, which wrap there."""
    listed = list(pairs)
    width = max((len(name) for name, _ in listed), default=0)
    if not on_terminal():
        for name, text in listed:
            print(f"{' ' * indent}{name:<{width}}  {text}".rstrip())
        return
    from rich.padding import Padding
    from rich.table import Table

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, text in listed:
        grid.add_row(shown(name, style), shown(text))
    console().print(Padding(grid, (0, 0, 0, indent)))


def _console(stream: Any) -> "Console":
    from rich.console import Console

    plain = bool(os.environ.get("NO_COLOR")) or _is_dumb()
    raw = stream.stream if isinstance(stream, Plain) else stream
    return Console(
        file=raw,
        width=shutil.get_terminal_size().columns,
        color_system=None if plain else "auto",
        highlight=False,
        markup=False,
        emoji=False,
    )


def _is_dumb() -> bool:
    return os.environ.get("TERM", "") in ("dumb", "unknown", "")
