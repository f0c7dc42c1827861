"""The command ``bench``: its subcommands, exit codes and one-line errors."""

import errno
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from bench.cli import (
    checkpoint_commands,
    data_commands,
    method_commands,
    prediction_commands,
    record_commands,
    result_commands,
    split_commands,
    stage_commands,
    status_commands,
    verify_commands,
)
from bench.errors import UserError, nearest
from bench.utils.terminal import plain_output

GROUPS = {
    "Run": ("doctor", "train", "stage", "status"),
    "Look at results": ("table", "report", "compare", "record", "sweep"),
    "Is it real?": ("verify", "audit"),
    "Add a method": ("new", "methods", "check"),
    "Data, classes, splits": ("data", "words", "splits"),
    "From elsewhere": ("classify", "score", "checkpoint"),
}


class Grouped(TyperGroup):
    """The group ``bench``, whose help lists the commands under the headings of ``GROUPS``."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands of each heading; those under no heading follow as "More"."""
        left = dict.fromkeys(self.list_commands(ctx))
        groups = [(title, [n for n in names if n in left]) for title, names in GROUPS.items()]
        known = {name for _, names in groups for name in names}
        width = max(map(len, left), default=0)
        for title, names in [*groups, ("More", [name for name in left if name not in known])]:
            if not names:
                continue
            with formatter.section(title):
                rows = [(n, self.commands[n].get_short_help_str(limit=200)) for n in names]
                formatter.write_dl([(f"{name:<{width}}", text) for name, text in rows])


TERMINATED = 128 + signal.SIGTERM


@contextmanager
def terminable() -> Iterator[list[int]]:
    """Treat SIGTERM like Ctrl-C within the block; yield the list of the signals received.

    Not under torchrun: a rank may be blocked in a collective call with a rank that is gone, which
    no exception interrupts, and torchrun would wait for it.
    """
    came: list[int] = []

    def interrupt(number: int, _: object) -> None:
        came.append(number)
        if callable(signal.getsignal(signal.SIGINT)):  # a handler, maybe of a process pool
            signal.raise_signal(signal.SIGINT)
        else:  # Ctrl-C is ignored, as in background jobs of a shell
            raise KeyboardInterrupt

    usual = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if not usual or current_thread() is not main_thread() or "TORCHELASTIC_RUN_ID" in os.environ:
        yield came
        return
    signal.signal(signal.SIGTERM, interrupt)
    try:
        yield came
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


app = typer.Typer(
    cls=Grouped,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Reproducibility benchmark for zero-shot video classification. "
    "Run 'bench' without a command to see the state of the project and what to do next.",
)
app.add_typer(data_commands.app, name="data")
app.add_typer(split_commands.app, name="splits")
app.add_typer(checkpoint_commands.app, name="checkpoint")
app.add_typer(record_commands.app, name="record")
for command in (
    stage_commands.stage, stage_commands.train, status_commands.status, status_commands.doctor,
    result_commands.table, result_commands.report, result_commands.sweep, result_commands.compare,
    verify_commands.verify, verify_commands.audit, split_commands.words, method_commands.methods,
    method_commands.new, method_commands.check, prediction_commands.classify,
    prediction_commands.score,
):  # fmt: skip
    app.command(command.__name__)(command)


@app.callback(invoke_without_command=True)
def _top(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        from bench import __version__

        print(f"bench {__version__}")
    elif context.invoked_subcommand is None:
        status_commands.overview(getattr(context.command, "commands", ()))


# Disk full, over quota or read-only: an error in one line. Any other is a bug with a traceback.
_DISK_ERRORS = (
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO,
)  # fmt: skip

# The user's error if the path is on the command line, else a bug.
_PATH_ERRORS = (errno.ENOENT, errno.ENOTDIR, errno.EEXIST, errno.ELOOP)

# Depending on its version, typer contains a copy of click or imports the package.
_Usage: type[Exception] = next(
    k for k in typer.BadParameter.__mro__ if k.__name__ == "ClickException"
)


def main() -> None:
    """Run the command line and end the process with its exit code."""
    with plain_output(), terminable() as terminated:
        code = _run()
        if code == 130:  # typer's exit code for Ctrl-C
            _print_error("interrupted; finished work is kept")
        sys.exit(TERMINATED if code == 130 and terminated else code)


def _run() -> int:
    try:
        code = app(prog_name="bench", standalone_mode=False)
    except UserError as error:
        code = _print_error(str(error))
    except _Usage as error:
        code = _print_error(_usage(error))
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except BrokenPipeError:  # the reader of the pipe exited, as in `bench table | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 141
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG or _is_on_command_line(error):
            code = _print_error(f"{error.filename}: {error.strerror}; give another path or name")
        elif error.errno in _DISK_ERRORS:
            code = _print_error(
                f"{error.filename or 'writing'}: {error.strerror}; no file is left half-written"
            )
        else:
            raise
    return code if isinstance(code, int) else 0


def _is_on_command_line(error: OSError) -> bool:
    """Return whether the command line names the path, or a path below it."""
    if error.errno not in _PATH_ERRORS or not isinstance(error.filename, str):
        return False
    words = [os.path.abspath(word.rpartition("=")[2]) for word in sys.argv[1:]]
    place = os.path.abspath(error.filename)
    return any(word == place or word.startswith(f"{place}{os.sep}") for word in words)


def _print_error(message: str) -> int:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    return 2


def _usage(error: Any) -> str:
    """Return click's message as one line; for an unknown command suggest the nearest."""
    message = " ".join(error.format_message().split()).rstrip(".")
    context = getattr(error, "ctx", None)
    if context is None:
        return message
    if message == "Missing command":
        names = ", ".join(context.command.list_commands(context))
        return f"{context.command_path}: missing command: {names}"
    if message.startswith("No such command"):
        name = message.split("'")[1]
        return f"no such command '{name}'{nearest(name, context.command.list_commands(context))}"
    first = message[:1].lower() + message[1:]
    return f"{context.command_path}: {first}; see '{context.command_path} --help'"
