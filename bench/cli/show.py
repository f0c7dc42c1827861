"""Commands that print what is there: tables, status. None of them needs data or torch."""

from collections import Counter, defaultdict
from typing import Annotated

import typer

from bench.cli.stages import Profile, opened


def table(
    which: Annotated[
        str,
        typer.Option("--which", "-w", help="ablation, sota, protocols, readings, splits, overlap."),
    ] = "ablation",
    fmt: Annotated[
        str, typer.Option("--format", "-f", help="md, latex, csv, html or json.")
    ] = "md",
    method: Annotated[
        str, typer.Option("--method", "-m", help="The one method that 'protocols' shows.")
    ] = "",
    profile: Profile = None,
) -> None:
    """Print a table from the records that are there. Example: bench table --which ablation"""
    from bench.stages.table import context
    from bench.tables import build, render

    config, layout = opened(profile)
    print(render(build(which, context(config, layout, method)), fmt).rstrip("\n"))


def status(profile: Profile = None) -> None:
    """Show how many cells of each row are done, failed, outdated or not run."""
    from bench.stages.table import context
    from bench.tables.cells import cells

    config, layout = opened(profile)
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    reasons: dict[str, str] = {}
    for cell in cells(context(config, layout)):
        rows[cell.about.row][cell.state] += 1
        if cell.reason:
            reasons.setdefault(f"{cell.about.row} {cell.state}", cell.reason)
    width = max(map(len, rows), default=0)
    print(f"profile {config.name}: {config.profile.title}")
    for row, counts in rows.items():
        states = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
        print(f"{row:<{width}}  {states}")
    for what, reason in reasons.items():
        print(f"  {what}: {reason}")
