"""``bench verify``: train a recorded cell again, rebuild the tables, or compare two trainings."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli import completion
from bench.cli.options import AsJson, Profile, opened
from bench.cli.output import print_json, print_table
from bench.cli.record_commands import record_file
from bench.config.paths import find_root
from bench.errors import UserError, unknown

if TYPE_CHECKING:
    from bench.experiments.record import Record
    from bench.pipeline.verify.against import Beside


_ELSEWHERE = (
    "another machine moves a network that is trained end to end about as another seed does, so one "
    "cell cannot tell; train all of a profile here and run 'bench verify --against HEAD'"
)


def verify(
    method: Annotated[
        str | None,
        typer.Argument(
            help="A method or row; default: one cell of each method.",
            autocompletion=completion.rows,
        ),
    ] = None,
    cell: Annotated[
        str,
        typer.Option(
            "--cell", help="This cell: aurl.transfer.seed0.", autocompletion=completion.cells
        ),
    ] = "",
    tables: Annotated[
        bool, typer.Option("--tables", help="Build every committed table again, and compare.")
    ] = False,
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            metavar="<path or commit>",
            help="Compare all records with another's results/, or with those of a commit: HEAD.",
        ),
    ] = None,
    results: Annotated[
        Path | None, typer.Option("--from", help="A folder like results/; default: the checkout's.")
    ] = None,
    tolerance: Annotated[
        float, typer.Option(min=0, help="Points of accuracy granted to another machine.")
    ] = 1.0,
    fresh: Annotated[bool, typer.Option("--fresh", help="Make the data again, too.")] = False,
    as_json: AsJson = False,
    wide: Annotated[
        bool, typer.Option("--wide", help="--against on a terminal: every column, in long lines.")
    ] = False,
    profile: Profile = None,
) -> None:
    """Repeat a record's cell: identical, within tolerance, or different (exit code 1).

    Example: bench verify base_ls
    """
    root = find_root()
    folder = (results or root / "results").resolve()
    if not folder.is_dir():
        raise UserError(f"--from {results}: no such folder" if results else f"{folder} is missing")
    if tables:
        if method or cell or fresh or against is not None:
            raise UserError("--tables goes with --from and --profile alone")
        _tables(root, folder, profile, as_json)
        return
    if against is not None:
        if method or cell or fresh:
            raise UserError("--against goes with --from, --tolerance, --profile and --json alone")
        _show_against(_compared(root, folder, against, profile, tolerance), as_json, wide)
        return
    from bench.pipeline.verify.rerun import verify as repeat

    name = opened(profile)[0].name
    chosen = _chosen(folder / "records" / name, name, method, cell)
    seconds = sum(record.wall_s for record in chosen)
    say = partial(print, flush=True, file=sys.stderr if as_json else None)
    say(f"{len(chosen)} cells of profile {name}, {seconds:.0f} s of training when recorded")
    verdicts = []
    counts: dict[str, int] = {}
    wrong, moved = 0, False
    for record in chosen:
        say(f"{record.cell}: …")
        found = repeat(root, record, tolerance, fresh, lambda line: say(f"  {line}"))
        say(f"  {found.word.upper()}: {'; '.join(found.details)}")
        verdicts.append({**asdict(found), "stands": found.stands})
        counts[found.word] = counts.get(found.word, 0) + 1
        wrong += not found.stands
        moved |= found.word == "different" and found.elsewhere
    say(", ".join(f"{count} {word}" for word, count in counts.items()))
    if moved:
        say(_ELSEWHERE)
    if as_json:
        print_json(verdicts)
    if wrong:
        raise typer.Exit(1)


def _chosen(folder: Path, profile: str, method: str | None, cell: str) -> "list[Record]":
    """Return the records to verify: the one of ``cell``, else the cheapest of each method."""
    from bench.experiments.method_registry import scan
    from bench.experiments.record import own_record, read_records

    if cell:
        if method:
            raise UserError(f"give a method or --cell, not both ('{method}', '{cell}')")
        return [own_record(record_file(folder, cell, profile))]
    records = read_records(folder)
    if not records:
        raise UserError(f"{folder}: no records")
    if method and all(method != record.row for record in records):
        if method.partition("+")[0] in scan(find_root()):
            raise UserError(f"'{method}' has no record of profile {profile}; run 'dvc repro'")
        raise unknown(f"method or row of profile {profile}", method, {r.row for r in records})
    wanted = [r for r in records if (r.row == method if method else not r.reading)]
    cheapest: dict[str, Record] = {}
    for record in sorted(wanted, key=lambda record: (record.status != "ok", record.cpu_s)):
        cheapest.setdefault(record.row, record)
    return [cheapest[row] for row in sorted(cheapest)]


def _tables(root: Path, results: Path, profile: str | None, as_json: bool) -> None:
    """Compare the tables of one profile, or of every one; exit code 1 if any differs."""
    from bench.pipeline.verify.tables import differing, profiles

    known = profiles(results)
    if profile and profile not in known:
        raise unknown(f"profile in {results}", profile, known)
    wrong = 0
    told = {}
    for name in [profile] if profile else known:
        count, lines = differing(root, results, name)
        told[name] = {"files": count, "differing": lines}
        wrong += len(lines)
        if as_json:
            continue
        for line in lines:
            print(line)
        print(f"profile {name}: {count} files, {len(lines)} differ from what the records make")
    if as_json:
        print_json(told)
    if wrong:
        raise typer.Exit(1)


def _compared(
    root: Path, folder: Path, given: str, profile: str | None, points: float
) -> "list[Beside]":
    """Compare the records of ``folder`` with those of ``given``, a folder or a commit.

    ``points`` are granted to an accuracy as in ``bench verify``.
    """
    with _theirs(root, folder, given) as theirs:
        return list(_beside(folder, theirs, given, profile, points))


def _show_against(found: "list[Beside]", as_json: bool, wide: bool) -> None:
    """Print them; exit code 1 if a mean moved by more than chance, or a repeated cell differs."""
    if as_json:
        print_json([{**asdict(one), "stands": one.stands} for one in found])
    else:
        from bench.pipeline.verify.against_text import tabled

        for one in found:
            print_table(tabled(one), wide=wide)
    if not all(one.stands for one in found):
        raise typer.Exit(1)


@contextmanager
def _theirs(root: Path, folder: Path, given: str) -> Iterator[Path]:
    """Give the folder of results that ``given`` names, or those of a commit, while it is used."""
    from bench.pipeline.verify.clean_tree import archived, commit_of

    path = Path(given)
    if path.is_dir():
        if path.resolve() == folder:
            raise UserError(f"--against {given}: the folder itself; give another's, or HEAD")
        yield path
        return
    commit = commit_of(root, given)
    if not commit:
        raise UserError(f"--against {given}: neither a folder nor a commit of this repository")
    with TemporaryDirectory(prefix="bench-") as tree:
        if not archived(root, commit, Path(tree), "results"):
            raise UserError(f"--against {given}: commit {commit[:8]} has no results/")
        yield Path(tree) / "results"


def _beside(
    folder: Path, theirs: Path, given: str, profile: str | None, points: float
) -> "Iterator[Beside]":
    """Compare the records of one profile, or of every one in both; note what cannot be."""
    from bench.pipeline.verify.against import NotComparable, beside
    from bench.pipeline.verify.tables import profiles

    both = [name for name in profiles(folder) if name in profiles(theirs)]
    if profile and profile not in both:
        raise unknown(f"profile in {folder} and in --against {given}", profile, both)
    if not both:
        raise UserError(f"--against {given}: no profile of {folder} is in it")
    chosen = [profile] if profile else both
    why = []
    for name in chosen:
        try:
            yield beside(folder, theirs, name, points)
        except NotComparable as error:  # the others may be
            why.append(f"--against {given}: {error}")
    if len(why) == len(chosen):
        raise UserError(why[0])
    for reason in why:
        print(f"note: {reason}", file=sys.stderr)
