"""``bench report``: the page with every table and figure."""

import re
from pathlib import Path
from typing import Annotated

import typer

from bench.cli import complete
from bench.cli.stages import Profile, opened
from bench.errors import UserError
from bench.utils.io import locked, sweep


def report(
    compare: Annotated[
        tuple[str, str] | None,
        typer.Option("--compare", metavar="A B", help="Two rows for the figure class by class."),
    ] = None,
    row: Annotated[
        str,
        typer.Option(
            "--row",
            help="The row of confusions, map, curves and videos.",
            autocompletion=complete.rows,
        ),
    ] = "",
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder; default: results/report/PROFILE.")
    ] = None,
    links: Annotated[
        str,
        typer.Option(
            "--links",
            metavar="URL",
            help="Where the project's files can be read, for a page that is published alone.",
        ),
    ] = "",
    profile: Profile = None,
) -> None:
    """Write the page of tables and figures.

    Example: bench report --compare aurl base_ls
    """
    from bench.pipeline.stages import report as stage

    if links and not re.fullmatch(r"https?://[^\s\"'<>]+", links):
        raise UserError(f"--links {links}: give an address: https://example.org/project/blob/main")
    config, layout = opened(profile)
    folder = layout.report if out is None else out.absolute()
    try:
        if out is not None:
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {out}: {error.strerror}; name a folder to write to") from None
    with locked(layout.scratch / "locks" / "stage-report"):
        sweep(folder)
        stage.run(config, layout, compare, row, None if out is None else folder, links)
