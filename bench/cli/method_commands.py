"""``bench methods``, ``bench check`` and ``bench new``: help for the author of a method."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli import completion
from bench.cli.options import AsJson, Profile, opened
from bench.cli.output import print_json
from bench.config.paths import Layout, find_root
from bench.errors import UserError, unknown
from bench.utils.terminal import print_hanging

if TYPE_CHECKING:
    from bench.config.profile import Config
    from bench.experiments.method_registry import MethodFile


def methods(
    name: Annotated[
        str | None,
        typer.Argument(
            help="Method whose parameters to show (default: list all methods).",
            autocompletion=completion.methods,
        ),
    ] = None,
    page: Annotated[
        bool, typer.Option("--page", help="Print all methods as the page docs/methods.md.")
    ] = False,
    as_json: AsJson = False,
    profile: Profile = None,
) -> None:
    """List the methods, the inputs they need and those that are missing.

    Example: bench methods aurl
    """
    from bench.experiments.method_registry import load, scan
    from bench.method import parameters_of

    config, layout = opened(profile)
    found = scan(layout.root)
    if page:
        _print_page(layout.root, found)
        return
    if name is not None and name not in found:
        raise unknown("method", name, found)
    chosen = list(found.values()) if name is None else [found[name]]
    if as_json:
        print_json([_method_json(config, layout, file) for file in chosen])
        return
    width = max((len(file.name) for file in chosen), default=0)
    for file in chosen:
        missing = _missing_input(config, layout, file)
        missing_text = f"missing in profile {config.name}: {missing}" if missing else ""
        if name is None:
            print_hanging(f"{file.name:<{width}}  {_state(file)}", width + 2)
            if missing:
                print_hanging(f"{'':<{width}}  {missing_text}", width + 2)
            continue
        kind = load(file)
        needs, wants = file.uses(config.methods.get(name, {}))
        print(f"{name}: {kind.label or name}; needs {', '.join(needs)}")
        if wants:
            print(f"  optional inputs: {', '.join(wants)}")
        if missing:
            print_hanging(f"  {missing_text}", 4)
        if file.approximates:
            print_hanging(f"  approximated: {file.approximates}", 4)
        for parameter, value in parameters_of(kind).items():
            print(f"  {parameter}: {value}")


def check(
    name: Annotated[
        str | None,
        typer.Argument(help="Method to check (default: all).", autocompletion=completion.methods),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check that methods meet the contract, on tiny clips and features.

    Example: bench check aurl
    """
    from bench.experiments.method_registry import scan
    from bench.training.method_check import check_method

    found = scan(find_root())
    if name is not None and name not in found:
        raise unknown("method", name, found)
    problems: dict[str, list[str]] = {}
    for file in found.values() if name is None else [found[name]]:
        problems[file.name] = check_method(file) + [
            f"methods/{file.name}.py: label '{file.label}' is also used by methods/{other.name}.py;"
            " choose another, so that the tables can tell the rows apart"
            for other in found.values()
            if other is not file and other.label == file.label
        ]
        if not as_json:
            print(f"{file.name}: {'' if problems[file.name] else 'ok'}".rstrip())
            for problem in problems[file.name]:
                print(f"  {problem}")
    if as_json:
        print_json(problems)
    if count := sum(map(len, problems.values())):
        raise UserError(f"{count} problems in methods/")


def new(
    name: Annotated[
        str | None,
        typer.Argument(help="Name of the method (default: create a project in this folder)."),
    ] = None,
) -> None:
    """Create methods/NAME.py from a template, or a new project.

    Example: bench new my_method
    """
    from bench.pipeline.new_project import new_method, start

    if name is not None:
        new_method(find_root(), name)
        print(f"wrote methods/{name}.py; try 'bench check {name}', then 'dvc repro'")
        return
    try:
        root = find_root()
    except UserError:
        count = start(Path.cwd())
        print(
            f"wrote a project here: params.yaml, dvc.yaml, {count} methods in methods/; next:\n"
            "  git init && git add -A && git commit -m start   # records name their commit\n"
            "  dvc repro                                       # generate, train, score, tables\n"
            "  bench table"
        )
        return
    raise UserError(f"{root} is already a project; give the method a name: 'bench new my_method'")


def _method_json(config: "Config", layout: Layout, file: "MethodFile") -> dict[str, Any]:
    """Return a method for --json; its parameters are null if it cannot be imported."""
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
        "missing": _missing_input(config, layout, file),
        "learning": file.learning,
        "approximates": file.approximates,
        "parameters": parameters,
    }


def _print_page(root: Path, found: "dict[str, MethodFile]") -> None:
    from bench.reports.tables.context import read_context
    from bench.reports.tables.exports import methods_page

    folder = root / "results" / "records"
    profiles = sorted(p.name for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []
    contexts = [read_context(*opened(profile)) for profile in profiles]
    print(methods_page(found, contexts).rstrip("\n"))


def _missing_input(config: "Config", layout: Layout, file: "MethodFile") -> str:
    """Return the first input that a method needs and that is missing, with the remedy, or ""."""
    from bench.experiments.plan import Inputs

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
