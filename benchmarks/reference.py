"""Write docs/cli.md, and the list of rooms in docs/architecture.md. `make docs`

The commands' text is typer's own (`typer bench.cli.main utils docs`), the rooms' the first sentence
of each docstring.
"""

import ast
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
_HEAD = """# Commands

Written by `make docs` from `--help` of every command. A user's mistake is one line on stderr and
exit code 2; `0` is success, `1` a finding (a check that failed), `130` Ctrl-C.
"""


def commands() -> str:
    """Return docs/cli.md."""
    import typer
    from typer.cli import get_docs_for_click
    from typer.main import get_command

    from bench.cli.main import app

    command = get_command(app)
    _whole_sentences(command)
    made = get_docs_for_click(obj=command, ctx=typer.Context(command), name="bench")
    text = re.sub(r"Example: (bench [^`\n]+)", r"Example: `\1`", made.split("\n", 1)[1].strip())
    return f"{_HEAD}\n{text}\n"


def _whole_sentences(command: Any) -> None:
    """Give each command its first sentence for the lists, which would cut it at 45 characters."""
    for one in getattr(command, "commands", {}).values():
        one.short_help = re.split(r"(?<=[.]) |\n\n", " ".join((one.help or "").split(" ")))[0]
        one.short_help = " ".join(one.short_help.split())
        _whole_sentences(one)


def rooms() -> str:
    """Return docs/architecture.md, its list of rooms written anew."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    begin, rest = page.split("<!-- rooms", 1)
    mark, rest = rest.split("-->\n", 1)
    _, end = rest.split("<!-- end of rooms -->", 1)
    return f"{begin}<!-- rooms{mark}-->\n{_tables()}<!-- end of rooms -->{end}"


def _tables() -> str:
    folders = sorted(path.parent for path in (ROOT / "bench").rglob("__init__.py"))
    head = ["| room | what it is for |", "|---|---|"]
    rows = [f"| `{_name(folder)}` | {_first(folder / '__init__.py')} |" for folder in folders[1:]]
    files = sorted((ROOT / "bench").glob("[a-z]*.py"))
    own = [f"| `{_name(file)}` | {_first(file)} |" for file in files]
    alone = "\nFiles that stand alone in `bench/`:\n"
    return "\n".join([*head, *rows, alone, "| file | what it is for |", "|---|---|", *own, ""])


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix() + ("/" if path.is_dir() else "")


def _first(file: Path) -> str:
    """Return the first paragraph of a module's docstring as a table's cell."""
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    paragraph = " ".join(text.split("\n\n")[0].split())
    return paragraph.replace("``", "`").replace("|", r"\|")


if __name__ == "__main__":
    for name, made in (("cli", commands), ("architecture", rooms)):
        (ROOT / "docs" / f"{name}.md").write_text(made(), encoding="utf-8")
