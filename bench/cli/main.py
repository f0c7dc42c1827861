"""The command ``bench``. A user's mistake is one line on stderr and exit code 2."""

import errno
import os
import sys
from typing import Annotated, Any

import typer

from bench.cli import (
    audit,
    checkpoint,
    classify,
    compare,
    data,
    doctor,
    methods,
    new,
    overlap,
    overview,
    record,
    report,
    score,
    stages,
    status,
    sweep,
    verify,
    words,
)
from bench.cli import splits as class_splits
from bench.cli import table as show
from bench.cli.help_groups import Grouped
from bench.cli.sigterm import TERMINATED, terminable
from bench.errors import UserError, nearest
from bench.utils.terminal import plain_output

app = typer.Typer(
    cls=Grouped,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Reproducibility benchmark for zero-shot video classification. "
    "'bench' alone says where you are and what to do next.",
)
splits = typer.Typer(rich_markup_mode=None, help="Class splits by name.")
app.add_typer(splits, name="splits")
app.add_typer(data.app, name="data")
splits.command("show")(class_splits.splits_show)
splits.command("overlap")(overlap.splits_overlap)
app.add_typer(checkpoint.app, name="checkpoint")
app.add_typer(record.app, name="record")
app.command("stage")(stages.stage)
app.command("train")(stages.train)
app.command("table")(show.table)
app.command("report")(report.report)
app.command("sweep")(sweep.sweep)
app.command("classify")(classify.classify)
app.command("compare")(compare.compare)
app.command("status")(status.status)
app.command("audit")(audit.audit)
app.command("words")(words.words)
app.command("score")(score.score)
app.command("doctor")(doctor.doctor)
app.command("verify")(verify.verify)
app.command("methods")(methods.methods)
app.command("new")(new.new)
app.command("check")(methods.check)


@app.callback(invoke_without_command=True)
def _top(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        from bench import __version__

        print(f"bench {__version__}")
    elif context.invoked_subcommand is None:
        overview.overview(getattr(context.command, "commands", ()))


# Full, over a limit, or not to be written; anything else is a defect and shows its traceback.
_OF_THE_DISK = (
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO,
)  # fmt: skip

# The user's where the command line names the path, a defect anywhere else.
_OF_A_PATH = (errno.ENOENT, errno.ENOTDIR, errno.EEXIST, errno.ELOOP)

# typer carries its own copy of click or uses the package, by version.
_Usage: type[Exception] = next(
    k for k in typer.BadParameter.__mro__ if k.__name__ == "ClickException"
)


def main() -> None:
    """Run the command line and end the process with its exit code."""
    with plain_output(), terminable() as terminated:
        code = _run()
        if code == 130:  # as typer answers Ctrl-C
            _complain("interrupted; what was finished is kept")
        sys.exit(TERMINATED if code == 130 and terminated else code)


def _run() -> int:
    try:
        code = app(prog_name="bench", standalone_mode=False)
    except UserError as error:
        code = _complain(str(error))
    except _Usage as error:
        code = _complain(_usage(error))
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except BrokenPipeError:  # the reader of a pipe went away, as `bench table | head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 141
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG or _is_given(error):
            code = _complain(f"{error.filename}: {error.strerror}; give another path or name")
        elif error.errno in _OF_THE_DISK:
            code = _complain(
                f"{error.filename or 'writing'}: {error.strerror}; nothing was half-written"
            )
        else:
            raise
    return code if isinstance(code, int) else 0


def _is_given(error: OSError) -> bool:
    """Return whether it is a path that the command line names, or a folder on the way to one."""
    if error.errno not in _OF_A_PATH or not isinstance(error.filename, str):
        return False
    words = [os.path.abspath(word.rpartition("=")[2]) for word in sys.argv[1:]]
    place = os.path.abspath(error.filename)
    return any(word == place or word.startswith(f"{place}{os.sep}") for word in words)


def _complain(message: str) -> int:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    return 2


def _usage(error: Any) -> str:
    """Put click's message in one line, with the nearest command for an unknown one."""
    message = " ".join(error.format_message().split()).rstrip(".")
    context = getattr(error, "ctx", None)
    if context is None:
        return message
    if message == "Missing command":
        names = ", ".join(context.command.list_commands(context))
        return f"{context.command_path}: name a command: {names}"
    if message.startswith("No such command"):
        name = message.split("'")[1]
        return f"no such command '{name}'{nearest(name, context.command.list_commands(context))}"
    first = message[:1].lower() + message[1:]
    return f"{context.command_path}: {first}; '{context.command_path} --help' shows an example"
