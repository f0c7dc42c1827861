"""Every command that a page shows exists, with its options."""

from pathlib import Path
from typing import Any

import pytest
from project import ROOT
from shown import PAGES, bench_calls, bench_mentions, commands
from typer.main import get_command

from bench.cli.main import app

# Pages written from the commands' own help, and of the faults that were tried.
SHOWN = [p for p in PAGES if p.parent.name != "cli" and p.name != "reliability.md"]
every_page = pytest.mark.parametrize("page", SHOWN, ids=[str(p.relative_to(ROOT)) for p in SHOWN])


def leaf(words: list[str]) -> tuple[Any, list[str]]:
    """Return the command that the first words name, and the rest of them."""
    command: Any = get_command(app)
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]
    return command, words


@every_page
def test_bench_commands_parse(page: Path) -> None:
    for words in bench_calls(page):
        command, rest = leaf(words)
        command.make_context(" ".join(words), rest)  # raises what a user would read


@every_page
def test_bench_commands_in_running_text_exist(page: Path) -> None:
    for words in bench_mentions(page):
        command, rest = leaf(words)
        known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
        known |= {"--help", "--version", "--install-completion"}
        assert not {w.strip("[]") for w in rest if w.strip("[").startswith("-")} - known, words
        assert not rest or not hasattr(command, "commands") or rest[0].startswith("-"), words


@every_page
def test_make_targets_exist(page: Path) -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = text.partition(".PHONY:")[2].split("\n", 1)[0].split()
    calls = [call.split() for command in commands(page) for call in command.split("&&")]
    asked = {w for words in calls if words[:1] == ["make"] for w in words[1:] if "=" not in w}
    assert asked <= set(targets)
