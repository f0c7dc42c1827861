"""``bench table``: needs neither data nor torch."""

from typing import Annotated

import typer

from bench.cli import complete
from bench.cli.splits import AsJson
from bench.cli.stages import Profile, opened
from bench.errors import UserError
from bench.utils.terminal import on_terminal

FORMATS = ("md", "latex", "csv", "html", "json")


def table(
    which: Annotated[
        str,
        typer.Option(
            "--which",
            "-w",
            help=f"{', '.join(complete.TABLES)}.",
            autocompletion=complete.among(*complete.TABLES),
        ),
    ] = "ablation",
    fmt: Annotated[
        str,
        typer.Option(
            "--format",
            "-f",
            help="md, latex, csv, html or json. Default: md; on a terminal what fits it.",
            show_default=False,
            autocompletion=complete.among(*FORMATS),
        ),
    ] = "",
    as_json: AsJson = False,
    wide: Annotated[
        bool, typer.Option("--wide", help="On a terminal: every column, in long lines.")
    ] = False,
    method: Annotated[
        str,
        typer.Option(
            "--method",
            "-m",
            help="The one method that 'protocols' shows.",
            autocompletion=complete.methods,
        ),
    ] = "",
    profile: Profile = None,
) -> None:
    """Print a table from the records that are there.

    Example: bench table --which sota
    """
    from bench.pipeline.stages.table import context
    from bench.reports.tables import build, render

    config, layout = opened(profile)
    if method and which != "protocols":
        raise UserError(f"--method goes with '--which protocols', not with '{which}'")
    found = build(which, context(config, layout, method))
    if on_terminal() and not (fmt or as_json or wide):
        from bench.cli.terminal_table import draw

        draw(found)
        return
    print(render(found, "json" if as_json else fmt or "md").rstrip("\n"))
