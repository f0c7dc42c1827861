"""``bench sweep``: the table of DVC's experiments, and of a sweep that was saved."""

import re
from typing import Annotated

import typer

from bench.cli import complete
from bench.cli.splits import AsJson
from bench.cli.stages import Profile, opened
from bench.errors import UserError
from bench.utils.terminal import on_terminal


def sweep(
    name: Annotated[str, typer.Argument(help="A saved sweep; default: the experiments.")] = "",
    save: Annotated[
        str, typer.Option("--save", help="Save under this name in results/sweeps/, for git.")
    ] = "",
    over: Annotated[
        list[str] | None,
        typer.Option("--over", help="Only experiments that change this parameter (repeat it)."),
    ] = None,
    fmt: Annotated[
        str,
        typer.Option(
            "--format",
            "-f",
            help="md, latex, csv, html or json. Default: md; on a terminal what fits it.",
            show_default=False,
            autocompletion=complete.among("md", "latex", "csv", "html", "json"),
        ),
    ] = "",
    as_json: AsJson = False,
    wide: Annotated[
        bool, typer.Option("--wide", help="On a terminal: every column, in long lines.")
    ] = False,
    profile: Profile = None,
) -> None:
    """Print accuracies per setting of a sweep.

    Example: bench sweep --over tau --save tau
    """
    from bench.experiments.saved_sweeps import saved_sweep
    from bench.pipeline.sweeps import read_sweep
    from bench.reports.tables import render
    from bench.reports.tables.sweep import build_sweep
    from bench.utils.io import dump_sealed, write_text

    if name and (save or over):
        raise UserError("give the NAME of a saved sweep, or --save and --over for a new one")
    for one in filter(None, (name, save)):
        if not re.fullmatch(r"[\w+=.-]*\w", one) or one.startswith("."):
            raise UserError(f"'{one}' is no name of a sweep: use letters, digits, '_' and '-'")
    config, layout = opened(profile)
    found = saved_sweep(config, layout, name) if name else read_sweep(config, layout, over or ())
    table = build_sweep(found, config.profile.title, config.profile.embedded)
    if on_terminal() and not (fmt or as_json or wide):
        from bench.cli.terminal_table import draw

        draw(table)
    else:
        print(render(table, "json" if as_json else fmt or "md").rstrip("\n"))
    if save:
        path = layout.sweeps / f"{save}.json"
        write_text(path, dump_sealed(found))
        typer.echo(f"saved in {path.relative_to(layout.root)}", err=True)
