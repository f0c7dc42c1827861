"""``bench verify``: train recorded cells again, rebuild tables, or compare two trainings."""

import sys
from collections import Counter
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from bench.cli import completion
from bench.cli.options import AsJson, Profile, Wide, opened
from bench.cli.output import print_json, print_table
from bench.config.paths import find_root
from bench.errors import UserError, unknown

_OTHER_MACHINE = (
    "end-to-end training on another machine changes a cell about as much as another seed does, so "
    "one cell proves nothing; train a whole profile here and run 'bench verify --against HEAD'"
)


def verify(
    method: Annotated[
        str | None,
        typer.Argument(
            help="Method or row to verify (default: one cell of each method).",
            autocompletion=completion.rows,
        ),
    ] = None,
    cell: Annotated[
        str,
        typer.Option(
            "--cell",
            help="Verify this cell, e.g. aurl.transfer.seed0.",
            autocompletion=completion.cells,
        ),
    ] = "",
    tables: Annotated[
        bool, typer.Option("--tables", help="Rebuild the committed tables and compare them.")
    ] = False,
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            metavar="<path or commit>",
            help="Compare all records with those of another results folder or of a commit.",
        ),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option("--from", help="Results folder to verify (default: the project's)."),
    ] = None,
    tolerance: Annotated[
        float,
        typer.Option(min=0, help="Accepted difference on another machine, in accuracy points."),
    ] = 1.0,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Generate and prepare the data again as well.")
    ] = False,
    as_json: AsJson = False,
    wide: Wide = False,
    profile: Profile = None,
) -> None:
    """Train recorded cells again and compare the results.

    The verdict is identical, within tolerance, or different (exit code 1).

    Example: bench verify base_ls
    """
    root = find_root()
    folder = (results or root / "results").resolve()
    if not folder.is_dir():
        raise UserError(f"--from {results}: no such folder" if results else f"{folder} is missing")
    if tables:
        if method or cell or fresh or against is not None:
            raise UserError("--tables can be combined only with --from, --profile and --json")
        _verify_tables(root, folder, profile, as_json)
    elif against is not None:
        if method or cell or fresh:
            raise UserError(
                "--against can be combined only with --from, --tolerance, --profile, --wide and "
                "--json"
            )
        _verify_against(root, folder, against, profile, tolerance, as_json, wide)
    else:
        name = opened(profile)[0].name
        _verify_cells(root, folder, name, method, cell, tolerance, fresh, as_json)


def _verify_cells(
    root: Path,
    folder: Path,
    profile: str,
    method: str | None,
    cell: str,
    tolerance: float,
    fresh: bool,
    as_json: bool,
) -> None:
    from bench.pipeline.verify.rerun import records_to_verify
    from bench.pipeline.verify.rerun import verify as train_again

    records = records_to_verify(root, folder / "records" / profile, profile, method, cell)
    say = partial(print, flush=True, file=sys.stderr if as_json else None)
    seconds = sum(record.wall_s for record in records)
    say(f"{len(records)} cells of profile {profile}, {seconds:.0f} s of training when recorded")
    verdicts = []
    for record in records:
        say(f"{record.cell}: …")
        found = train_again(root, record, tolerance, fresh, lambda line: say(f"  {line}"))
        say(f"  {found.word.upper()}: {'; '.join(found.details)}")
        verdicts.append(found)
    counts = Counter(one.word for one in verdicts)
    say(", ".join(f"{count} {word}" for word, count in counts.items()))
    if any(one.word == "different" and one.elsewhere for one in verdicts):
        say(_OTHER_MACHINE)
    if as_json:
        print_json([{**asdict(one), "stands": one.stands} for one in verdicts])
    if not all(one.stands for one in verdicts):
        raise typer.Exit(1)


def _verify_tables(root: Path, results: Path, profile: str | None, as_json: bool) -> None:
    from bench.pipeline.verify.tables import differing, profiles

    known = profiles(results)
    if profile and profile not in known:
        raise unknown(f"profile in {results}", profile, known)
    found = {}
    for name in [profile] if profile else known:
        count, lines = differing(root, results, name)
        found[name] = {"files": count, "differing": lines}
        if not as_json:
            for line in lines:
                print(line)
            print(f"profile {name}: {count} files, {len(lines)} differ from what the records make")
    if as_json:
        print_json(found)
    if any(one["differing"] for one in found.values()):
        raise typer.Exit(1)


def _verify_against(
    root: Path,
    folder: Path,
    source: str,
    profile: str | None,
    tolerance: float,
    as_json: bool,
    wide: bool,
) -> None:
    from bench.pipeline.verify.against import compare_trainings
    from bench.pipeline.verify.against_text import tabled

    found, notes = compare_trainings(root, folder, source, profile, tolerance)
    if as_json:
        print_json([{**asdict(one), "stands": one.stands} for one in found])
    else:
        for one in found:
            print_table(tabled(one), wide=wide)
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    if not all(one.stands for one in found):
        raise typer.Exit(1)
