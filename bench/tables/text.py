"""How numbers stand in a cell of a table."""

from collections.abc import Iterable

from bench.facts import Published
from bench.tables.rows import MISSING, Row

NAMES = {"closeness": "C↓", "dispersion": "D↑"}


def _digits(key: str) -> int:
    return 2 if key.rpartition(".")[2] in NAMES else 1


def measured(row: Row, key: str, mark: bool = False) -> str:
    """Return ``85.1 ± 2.0``; without ± where n = 1, a dash where nothing was measured."""
    found = row.spread(key)
    if found is None:
        return MISSING
    digits = _digits(key)
    std = "" if found.std is None else f" ± {found.std:.{digits}f}"
    return f"{found.mean:.{digits}f}{std}{' *' if mark else ''}"


def quoted(number: Published | None) -> str:
    """Return a published number with its published deviation."""
    if number is None:
        return MISSING
    digits = _digits(number.key)
    std = "" if number.std is None else f" ± {number.std:.{digits}f}"
    return f"{number.value:.{digits}f}{std}"


def delta(row: Row, key: str) -> str:
    """Return measured − published."""
    found, number = row.spread(key), row.published.get(key)
    if found is None or number is None:
        return MISSING
    return f"{found.mean - number.value:+.{_digits(key)}f}"


def covered(row: Row, scopes: Iterable[str]) -> str:
    """Return videos scored / expected, of each scope's data set in its least complete record.

    A protocol that lists its videos has a coverage of its own.
    """
    found = row.coverage()
    names = {scope if scope in found else scope.partition(".")[0] for scope in scopes}
    seen = [found[name] for name in names if name in found]
    expected = sum(part["expected"] for part in seen)
    return f"{sum(part['scored'] for part in seen)}/{expected}" if expected else MISSING


def column(key: str) -> str:
    """Name a metric's column: ``mini_ucf`` for top-1, ``C↓ mini_ucf`` for closeness."""
    dataset, _, metric = key.split(".")
    dataset = dataset.replace("seen_", "seen ", 1)
    name = {**NAMES, "harmonic": "H"}.get(metric)
    return f"{name} {dataset}" if name else dataset


def paper_column(key: str) -> str:
    """Name a published column: ``UCF101``; closeness and dispersion have no stated data set."""
    dataset, _, metric = key.split(".")
    return NAMES.get(metric, dataset.upper())


def unit(per_draw: set[bool]) -> str:
    """Return what is repeated: seeds, draws, or both."""
    return " or ".join({False: "seeds", True: "draws"}[kind] for kind in sorted(per_draw))


EMBEDDED = (
    "This is a small generated world: its numbers are no evidence about the paper and are not "
    "comparable with the published ones, which stand apart."
)
