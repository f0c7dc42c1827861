"""Terminal output: escaped control characters, wrapped text, colour, progress bars."""

import os
import shutil
import sys
import textwrap
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any, TextIO, TypeVar, cast

from bench.errors import visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_RESET = "\x1b[0m"


class Plain:
    """A text stream that escapes control characters, which names in foreign files may have."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write ``text`` with escaped control characters."""
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
    """Return whether stdout is a terminal."""
    return sys.stdout.isatty()


def bar_console() -> "Console | None":
    """Return a console on stderr for a progress bar; None if it is a file or TERM is dumb."""
    if not sys.stderr.isatty() or _is_dumb():
        return None
    return _console(sys.stderr)


def console() -> "Console":
    """Return a console on stdout as wide as the terminal; what it prints must be ``shown``.

    It writes no escape sequences if NO_COLOR is set or TERM is dumb.
    """
    return _console(sys.stdout)


def shown(text: str, style: str = "") -> "Text":
    """Return ``text`` as one line with escaped control characters, in a style of rich."""
    from rich.text import Text

    return Text(visible(" ".join(text.split())), style)


def print_title(text: str) -> None:
    """Print a line; on a terminal it is bold and wrapped."""
    if on_terminal():
        console().print(shown(text, "bold"))
    else:
        print(text)


def print_hanging(line: str, indent: int) -> None:
    """Print a line; on a terminal it is wrapped with a hanging ``indent``."""
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
    """Print names, in ``style`` on a terminal, and their texts beside them, wrapped."""
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


if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T")


def track(items: Iterable[T], total: int, what: str, every: float = 10.0) -> Iterator[T]:
    """Yield ``items`` and report progress on stderr.

    On a terminal: a rich bar with rate and time left. Elsewhere: one line each ``every`` seconds
    and one at the end, if the step took longer than that.
    """
    if screen := bar_console():
        yield from _bar(items, total, what, screen)
        return
    start = last = time.monotonic()
    done = 0
    for done, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if now - last >= every:
            rate = done / (now - start)
            left = f"about {duration((total - done) / rate)} left" if total > done else "done"
            print(
                f"{what}: {done}/{total}, {per_second(rate)}, {left}", file=sys.stderr, flush=True
            )
            last = now
    if done and time.monotonic() - start >= every:
        print(f"{what}: {done}/{total} done", file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """Return seconds in readable form: 45 s, 12 min, 45 h, 130 days."""
    for unit, length, most in (("s", 1, 100), ("min", 60, 100), ("h", 3600, 100)):
        if seconds < most * length:
            return f"{seconds / length:.{1 if seconds < 10 * length else 0}f} {unit}"
    return f"{seconds / 86400:.0f} days"


def per_second(rate: float) -> str:
    """Return a rate with significant digits: 412/s, 3.2/s, 0.04/s."""
    return f"{rate:.{0 if rate >= 10 else 1 if rate >= 1 else 2}f}/s"


def _bar(items: Iterable[T], total: int, what: str, screen: "Console") -> Iterator[T]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    # Rich would send to the bar's terminal what is printed to a file, too.
    both = sys.stdout.isatty()
    with Progress(*columns, console=screen, transient=True, redirect_stdout=both) as bar:
        task = bar.add_task(what, total=total, rate="")
        start = time.monotonic()
        for done, item in enumerate(items, 1):
            yield item
            rate = done / max(time.monotonic() - start, 1e-9)
            bar.update(task, advance=1, rate=per_second(rate))
