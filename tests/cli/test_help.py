"""Help: every command has an example that its own options accept, and a group."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from project import Bench

from bench.cli import completion, result_commands
from bench.cli.main import GROUPS, app
from bench.cli.status_commands import STATES
from bench.config.profile import PROTOCOLS
from bench.reports.tables import FORMATS, TABLES

TOP: Any = typer.main.get_command(app)


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the path and the command of every leaf."""
    if not hasattr(command, "commands"):
        yield path, command
        return
    for name, inner in command.commands.items():
        yield from commands(inner, (*path, name))


LEAVES = dict(commands(TOP))


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_command_has_an_example_that_it_accepts(path: tuple[str, ...]) -> None:
    command = LEAVES[path]
    found = re.search(r"Example:\s+bench ((?:.|\n)+)", command.help or "")
    assert found, "its docstring ends with 'Example: bench …'"
    words = found[1].split()
    assert tuple(words[: len(path)]) == path
    command.make_context(path[-1], words[len(path) :])  # raises for what it does not take


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_its_help_is_within_80_columns(bench: Bench, path: tuple[str, ...]) -> None:
    code, out, _ = bench(*path, "--help")
    assert code == 0
    assert "Example: bench" in " ".join(out.split())
    assert max(map(len, out.splitlines())) <= 80


def test_the_top_lists_each_command_once_in_a_group_and_cuts_no_sentence(bench: Bench) -> None:
    out = bench("--help").out
    for name in TOP.commands:
        assert len(re.findall(rf"^  {name} ", out, re.MULTILINE)) == 1, name
    assert "..." not in out.partition("Run:")[2]
    assert len({name for names in GROUPS.values() for name in names}) == sum(
        map(len, GROUPS.values())
    )


def test_literals_of_the_command_line_are_the_originals() -> None:
    assert completion.PROTOCOLS == PROTOCOLS
    assert completion.TABLES == TABLES
    assert result_commands.FORMATS == FORMATS
    assert set(STATES) == {
        "ok",
        "outdated",
        "failed",
        "broken",
        "missing",
        "not run",
        "not planned",
        "no file",
    }
