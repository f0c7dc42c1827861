"""``bench methods``, ``bench check`` and ``bench new``: help for the author of a method."""

import keyword
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli import completion
from bench.cli.options import AsJson, Profile, opened
from bench.cli.output import print_json
from bench.config.paths import Layout, find_root
from bench.errors import UserError, unknown
from bench.utils.io import write_text
from bench.utils.terminal import print_hanging

if TYPE_CHECKING:
    from bench.config.profile import Config
    from bench.experiments.method_registry import MethodFile


def methods(
    name: Annotated[
        str | None,
        typer.Argument(help="Show this method's parameters.", autocompletion=completion.methods),
    ] = None,
    page: Annotated[bool, typer.Option("--page", help="Print docs/methods.md.")] = False,
    as_json: AsJson = False,
    profile: Profile = None,
) -> None:
    """List methods/: ok, or file:line and reason; inputs that lack.

    Example: bench methods aurl
    """
    from bench.experiments.method_registry import load, scan

    config, layout = opened(profile)
    found = scan(layout.root)
    if page:
        _print_page(layout.root, found)
        return
    if name is not None and name not in found:
        raise unknown("method", name, found)
    if as_json:
        chosen = found.values() if name is None else [found[name]]
        print_json([_method_json(config, layout, one) for one in chosen])
        return
    if name is None:
        width = max(map(len, found), default=0)
        for one in found.values():
            print_hanging(f"{one.name:<{width}}  {_state(one)}", width + 2)
            lack = _lacking(config, layout, one)
            if lack:
                print_hanging(f"{'':<{width}}  missing in profile {config.name}: {lack}", width + 2)
        return
    from bench.method import parameters_of

    file = found[name]
    kind = load(file)
    needs, wants = file.uses(config.methods.get(name, {}))
    print(f"{name}: {kind.label or name}; needs {', '.join(needs)}")
    if wants:
        print(f"  uses, where there: {', '.join(wants)}")
    if lack := _lacking(config, layout, file):
        print_hanging(f"  missing in profile {config.name}: {lack}", 4)
    if file.approximates:
        print_hanging(f"  approximated: {file.approximates}", 4)
    for parameter, value in parameters_of(kind).items():
        print(f"  {parameter}: {value}")


def _method_json(config: "Config", layout: Layout, file: "MethodFile") -> dict[str, Any]:
    """Return what --json says of a method; its parameters are null where it cannot be imported."""
    from bench.experiments.method_registry import load
    from bench.method import parameters_of

    problem, parameters = "", None
    needs, wants = file.uses(config.methods.get(file.name, {}))
    try:
        parameters = parameters_of(load(file))
    except UserError as error:
        problem = str(error)
    return {
        "name": file.name,
        "label": file.label,
        "problem": problem,
        "needs": list(needs),
        "uses": list(wants),
        "missing": _lacking(config, layout, file),
        "learning": file.learning,
        "approximates": file.approximates,
        "parameters": parameters,
    }


def _print_page(root: Path, found: "dict[str, MethodFile]") -> None:
    from bench.reports.tables.context import read_context
    from bench.reports.tables.method_pages import methods_page

    folder = root / "results" / "records"
    profiles = sorted(p.name for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []
    contexts = [read_context(*opened(profile)) for profile in profiles]
    print(methods_page(found, contexts).rstrip("\n"))


def _lacking(config: "Config", layout: Layout, file: "MethodFile") -> str:
    """Return the input that a method needs and the profile has not, with what to do."""
    from bench.experiments.input_availability import Inputs

    profile = config.profile
    used = [profile.train_on, *profile.transfer_sets(), *(n for n, _ in profile.per_split())]
    datasets = list(dict.fromkeys(name for name in used if name))
    return Inputs(config, layout).of(file, config.methods.get(file.name, {}), datasets).missing


def _state(file: "MethodFile") -> str:
    from bench.experiments.method_registry import load

    try:
        kind = load(file)
    except UserError as error:
        return str(error)
    needs = ", ".join((*file.needs, *(f"({name})" for name in file.wants)))
    return f"ok  {kind.label or file.name}; needs {needs}"


def check(
    name: Annotated[
        str | None,
        typer.Argument(help="One method; default: all.", autocompletion=completion.methods),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Test a method's contract on tiny clips and tiny features.

    Example: bench check aurl
    """
    from bench.experiments.method_registry import scan
    from bench.training.method_check import check_method

    found = scan(find_root())
    if name is not None and name not in found:
        raise unknown("method", name, found)
    told: dict[str, list[str]] = {}
    for one in found.values():
        if name in (None, one.name):
            told[one.name] = complaints = check_method(one)
            for twin in found.values():
                if twin is not one and twin.label == one.label:
                    complaints.append(
                        f"methods/{one.name}.py: label '{one.label}' is also that of "
                        f"methods/{twin.name}.py; write another, so that tables tell them apart"
                    )
            if as_json:
                continue
            print(f"{one.name}: {'ok' if not complaints else ''}".rstrip())
            for complaint in complaints:
                print(f"  {complaint}")
    if as_json:
        print_json(told)
    if problems := sum(map(len, told.values())):
        raise UserError(f"{problems} problems in methods/")


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
    text = (Path(__file__).parent / "method_template.py").read_text(encoding="utf-8")
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
