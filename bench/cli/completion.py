"""Shell completion: names of methods, profiles, data sets and cells, read from files.

What cannot be read (no project here, a damaged file) completes to nothing.
"""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

import typer

# Copies, so that `bench --help` does not import the configuration; a test compares them.
PROTOCOLS = ("full", "half10", "official3", "k220", "fifty-fifty", "gzsl", "truze", "truze67")
TABLES = ("ablation", "sota", "protocols", "readings", "splits", "overlap")

Completer = Callable[[typer.Context, str], list[str]]
_CELL = re.compile(r"(.+?)\.(?:transfer|[^.]+\.[^.]+\.[^.]+)\.seed\d+")


def among(*names: str) -> Completer:
    """Return a completer of fixed names."""

    def chosen(context: typer.Context, incomplete: str) -> list[str]:
        return _starting(names, incomplete)

    return chosen


def profiles(context: typer.Context, incomplete: str) -> list[str]:
    """Complete the name of a profile in params.yaml."""
    return _starting(_parameters(), incomplete)


def methods(context: typer.Context, incomplete: str) -> list[str]:
    """Complete a method: the name of a file in methods/."""
    return _starting(_methods(_root()), incomplete)


def rows(context: typer.Context, incomplete: str) -> list[str]:
    """Complete a row: a method, or a reading with records."""
    found = (_CELL.fullmatch(name) for name in _records(context))
    return _starting([*_methods(_root()), *(one[1] for one in found if one)], incomplete)


def cells(context: typer.Context, incomplete: str) -> list[str]:
    """Complete the name of a cell with a record."""
    return _starting(_records(context), incomplete)


def protocols(context: typer.Context, incomplete: str) -> list[str]:
    """Complete a protocol."""
    return _starting(PROTOCOLS, incomplete)


def data_sets(context: typer.Context, incomplete: str) -> list[str]:
    """Complete a data set of a profile or a public one, also after a comma."""
    from bench.data import reference as facts

    before, comma, last = incomplete.rpartition(",")
    own = (one.get("datasets") for one in _parameters().values() if isinstance(one, dict))
    known = [*facts.class_lists(), *(str(n) for block in own if block for n in block)]
    return [f"{before}{comma}{name}" for name in _starting(known, last)]


def _starting(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete)]


def _root() -> Path | None:
    from bench.config.paths import find_root
    from bench.errors import UserError

    try:
        return find_root()
    except UserError:
        return None


def _parameters() -> dict[str, object]:
    """Return the profiles in params.yaml, unchecked; {} if it cannot be read."""
    from bench.config.profile import read_parameters
    from bench.errors import UserError

    root = _root()
    try:
        return dict(read_parameters(root)["profiles"]) if root else {}
    except UserError:
        return {}


def _methods(root: Path | None) -> list[str]:
    files = sorted((root / "methods").glob("[!_.]*.py")) if root else []
    return [file.stem for file in files]


def _records(context: typer.Context) -> list[str]:
    """Return the cells with a record, of the profile given on the line or of all."""
    root = _root()
    profile = str(context.params.get("profile") or "*")
    folder = root / "results" / "records" if root and "/" not in profile else None
    return sorted(file.stem for file in folder.glob(f"{profile}/*.json")) if folder else []
