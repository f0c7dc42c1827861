"""``bench verify --against``: all records beside those of another training."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import typer

from bench.cli.splits import print_json
from bench.errors import UserError, unknown
from bench.utils.terminal import on_terminal

if TYPE_CHECKING:
    from bench.pipeline.verify.against import Beside
    from bench.reports.tables import Table


def compared(
    root: Path, folder: Path, given: str, profile: str | None, points: float
) -> "list[Beside]":
    """Compare the records of ``folder`` with those of ``given``, a folder or a commit.

    ``points`` are granted to an accuracy as in ``bench verify``.
    """
    with _theirs(root, folder, given) as theirs:
        return list(_beside(folder, theirs, given, profile, points))


def show(found: "list[Beside]", as_json: bool, wide: bool) -> None:
    """Print them; exit code 1 if a mean moved by more than chance, or a repeated cell differs."""
    if as_json:
        print_json([{**asdict(one), "stands": one.stands} for one in found])
    else:
        from bench.pipeline.verify.against_text import tabled

        for one in found:
            _print(tabled(one), wide)
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


def _print(table: "Table", wide: bool) -> None:
    from bench.reports.tables import render

    if on_terminal() and not wide:
        from bench.cli.terminal_table import draw

        draw(table)
    else:
        print(render(table, "md"))
