"""``bench new``: a method's file from a template or, outside a project, a whole project."""

import keyword
from pathlib import Path
from typing import Annotated

import typer

from bench.config.paths import find_root
from bench.errors import UserError
from bench.utils.io import write_text


def new(
    name: Annotated[
        str | None, typer.Argument(help="File name without .py; without it a project is started.")
    ] = None,
) -> None:
    """Write methods/NAME.py; without NAME start a project here.

    Example: bench new my_method
    """
    if name is None:
        _project(Path.cwd())
        return
    if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
        raise UserError(f"'{name}' cannot be a module name; use letters, digits and _")
    root = find_root()
    path = root / "methods" / f"{name}.py"
    if path.exists():
        raise UserError(f"{path.relative_to(root)} exists already; choose another name")
    text = (Path(__file__).parent / "template.py").read_text(encoding="utf-8")
    kind = "".join(part.capitalize() for part in name.split("_"))
    words = name.replace("_", " ").strip()
    text = text.replace("MyMethod", kind).replace("my_method", name)
    write_text(path, text.replace("My method", words[0].upper() + words[1:]))
    print(f"wrote methods/{name}.py; try 'bench check {name}', then 'dvc repro'")


def _project(folder: Path) -> None:
    from bench.pipeline.new_project import start

    try:
        root = find_root(folder)
    except UserError:
        methods = start(folder)
        print(
            f"wrote a project here: params.yaml, dvc.yaml, {methods} methods in methods/; next:\n"
            "  git init && git add -A && git commit -m start   # records name their commit\n"
            "  dvc repro                                       # generate, train, score, tables\n"
            "  bench table"
        )
        return
    raise UserError(f"{root} is a project already; name the new method: 'bench new my_method'")
