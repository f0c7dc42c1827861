"""What the pages show: their blocks of code, and the commands in them."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from project import ROOT

PAGES = (
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
)


class Block(NamedTuple):
    """A fenced block: its language, its title if it has one, its text without indentation."""

    language: str
    title: str
    text: str


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page in order."""
    found = re.findall(
        r"^( *)```(\w+)(?: title=\"([^\"]*)\")?\n(.*?)^ *```$",
        page.read_text(encoding="utf-8"),
        re.DOTALL | re.MULTILINE,
    )
    return [
        Block(language, title, re.sub(rf"(?m)^{indent}", "", text))
        for indent, language, title, text in found
    ]


def commands(page: Path) -> Iterator[str]:
    """Yield each command of a page's sh blocks: a line, continued ones joined, without comment."""
    for block in blocks(page):
        if block.language == "sh":
            for line in block.text.replace("\\\n", " ").splitlines():
                command = re.sub(r"(^|\s)#.*", "", line).strip()
                if command:
                    yield command


def bench_calls(page: Path) -> Iterator[list[str]]:
    """Yield the words behind ``bench`` of every call in a page's sh blocks."""
    for command in commands(page):
        try:
            words = shlex.split(command)
        except ValueError:
            continue  # a line of a shell function with an open quote
        for i, word in enumerate(words):
            if word == "bench" and (i == 0 or words[i - 1] in ("&&", "do")):
                rest = words[i + 1 :]
                ends = (n for n, w in enumerate(rest) if w in ("&&", "|", ">", ";"))
                yield rest[: next(ends, None)]


def bench_mentions(page: Path) -> list[list[str]]:
    """Return the words behind ``bench`` of every mention in running text, e.g. [data, check]."""
    text = re.sub(r"(?ms)^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"))
    return [one.split() for one in re.findall(r"`bench ([^`]+)`", text)]
