"""``bench methods``, ``bench new`` and ``bench check``: help for the author of a method."""

import keyword
from typing import Annotated

import typer

from bench.errors import UserError, unknown
from bench.files import write_text
from bench.layout import find_root
from bench.registry import MethodFile, load, scan


def methods(
    name: Annotated[str | None, typer.Argument(help="Show this method's parameters.")] = None,
) -> None:
    """List the files of methods/: ok, or file:line and reason. Example: bench methods aurl"""
    found = scan(find_root())
    if name is None:
        width = max(map(len, found), default=0)
        for one in found.values():
            print(f"{one.name:<{width}}  {_state(one)}")
        return
    if name not in found:
        raise unknown("method", name, found)
    from bench.method import parameters_of

    kind = load(found[name])
    print(f"{name}: {kind.label or name}; needs {', '.join(kind.needs)}")
    for parameter, value in parameters_of(kind).items():
        print(f"  {parameter}: {value}")


def _state(file: MethodFile) -> str:
    try:
        kind = load(file)
    except UserError as error:
        return str(error)
    return f"ok  {kind.label or file.name}"


def new(name: Annotated[str, typer.Argument(help="File name without .py.")]) -> None:
    """Write methods/NAME.py from a commented template. Example: bench new my_method"""
    if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
        raise UserError(f"'{name}' cannot be a module name; use letters, digits and _")
    root = find_root()
    path = root / "methods" / f"{name}.py"
    if path.exists():
        raise UserError(f"{path.relative_to(root)} exists already; choose another name")
    text = (root / "bench" / "cli" / "template.py").read_text(encoding="utf-8")
    kind = "".join(part.capitalize() for part in name.split("_"))
    write_text(path, text.replace("MyMethod", kind).replace("my_method", name))
    print(f"wrote methods/{name}.py; try 'bench check {name}', then 'dvc repro'")


def check(
    name: Annotated[str | None, typer.Argument(help="One method; default: all.")] = None,
) -> None:
    """Test a method's contract on tiny clips and tiny features. Example: bench check aurl"""
    from bench.training.contract import check_method

    found = scan(find_root())
    if name is not None and name not in found:
        raise unknown("method", name, found)
    problems = 0
    for one in found.values():
        if name in (None, one.name):
            complaints = check_method(one)
            problems += len(complaints)
            print(f"{one.name}: {'ok' if not complaints else ''}".rstrip())
            for complaint in complaints:
                print(f"  {complaint}")
    if problems:
        raise UserError(f"{problems} problems in methods/")
