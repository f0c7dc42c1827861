"""Write docs/cli/ and the list of rooms in docs/architecture.md. `make docs`

docs/cli/ has a page a group of commands (``bench/cli/main.py``) and a list of all of them.
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
exit code 2; `0` is success, `1` a finding (a check that failed), `130` Ctrl-C, `143` `kill`. Every
command takes `--help`; `bench --install-completion` completes names in your shell.
"""
PAGES = {
    "Run": "run",
    "Look at results": "results",
    "Is it real?": "real",
    "Add a method": "methods",
    "Data, classes, splits": "data",
    "From elsewhere": "elsewhere",
}


def commands() -> dict[str, str]:
    """Return file name -> text of each page in docs/cli/; ``KeyError`` for a group without one."""
    import typer
    from typer.cli import get_docs_for_click
    from typer.main import get_command

    from bench.cli.main import GROUPS, app

    command = get_command(app)
    _whole_sentences(command)
    made = get_docs_for_click(obj=command, ctx=typer.Context(command), name="bench")
    text = re.sub(r"Example: (bench [^`\n]+)", r"Example: `\1`", made)
    text = re.sub(r"(?m)^\* `--help`:.*\n", "", text)
    parts = {
        part.split("`", 1)[0]: f"## `bench {part.rstrip()}\n"
        for part in text.split("\n## `bench ")[1:]
    }
    index, pages = [_HEAD], {}
    for title, names in GROUPS.items():
        file = f"{PAGES[title]}.md"
        pages[file] = "\n".join([f"# {title}\n", *(parts.pop(name) for name in names)])
        said = [(name, command.commands[name].short_help) for name in names]  # type: ignore[attr-defined]
        rows = [f"| [`bench {name}`]({file}#bench-{name}) | {help_} |" for name, help_ in said]
        index.append("\n".join([f"## {title}\n", "| command | |", "|---|---|", *rows, ""]))
    if parts:
        raise KeyError(f"commands of no group: {', '.join(parts)}; see bench/cli/main.py")
    return {"index.md": "\n".join(index), **pages}


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
    for name, made in commands().items():
        (ROOT / "docs" / "cli" / name).write_text(made, encoding="utf-8")
    (ROOT / "docs" / "architecture.md").write_text(rooms(), encoding="utf-8")
