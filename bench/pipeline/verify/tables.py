"""Rebuild every committed table in memory from the records beside it; needs no data, no torch."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.config.paths import Layout
from bench.config.profile import load_config
from bench.errors import UserError
from bench.reports.tables import render_all
from bench.reports.tables.context import read_context


@dataclass(frozen=True)
class Published(Layout):
    """A profile as another reader has it: its ``results`` folder and the splits, but no data.

    What this machine's own data say of the records (outdated, say) is not in their tables.
    """

    results: Path

    @property
    def index(self) -> Path:
        """Nowhere: see the class."""
        return self.results / "no data" / "index"

    @property
    def words(self) -> Path:
        """Nowhere: see the class."""
        return self.results / "no data" / "words"

    @property
    def inputs_status(self) -> Path:
        """Which inputs there were when the records were made."""
        return self.results / "inputs" / f"{self.profile}.json"

    @property
    def audit(self) -> Path:
        """What training had seen, as their audit says."""
        return self.results / "audit" / f"{self.profile}.json"

    @property
    def records(self) -> Path:
        """The records that the tables are built from."""
        return self.results / "records" / self.profile

    @property
    def tables(self) -> Path:
        """The tables that are compared."""
        return self.results / "tables" / self.profile


def profiles(results: Path) -> list[str]:
    """Return the profiles of a results folder; UserError if it has none."""
    kinds = [results / kind for kind in ("records", "tables")]
    found = {one.name for kind in kinds if kind.is_dir() for one in kind.iterdir() if one.is_dir()}
    if not found:
        raise UserError(f"{results}: no records and no tables in it; give the folder 'results'")
    return sorted(found)


def differing(root: Path, results: Path, profile: str) -> tuple[int, list[str]]:
    """Return how many files of tables were compared, and a line for each that differs."""
    layout = Published(root, profile, results)
    expected = render_all(read_context(load_config(root, profile), layout))
    there = {path.name for path in layout.tables.glob("*")}
    lines = []
    for name in sorted(expected.keys() | there):
        path = layout.tables / name
        if name not in there:
            lines.append(f"{path}: missing")
        elif name not in expected:
            lines.append(f"{path}: no table has this name")
        elif not same_content(found := path.read_bytes(), text := expected[name].encode()):
            lines.append(f"{path}: {_where(found, text)}")
    return len(expected), lines


def same_content(found: bytes, expected: bytes) -> bool:
    """Compare two files: JSON by value, its numbers to nine digits, since the last ones depend on
    the CPU; everything else by bytes.
    """
    if found == expected:
        return True
    try:
        return _is_close(json.loads(found), json.loads(expected))
    except ValueError:
        return False


def _is_close(a: Any, b: Any) -> bool:
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(_is_close(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_is_close, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9)
    return type(a) is type(b) and bool(a == b)


def _where(found: bytes, expected: bytes) -> str:
    pairs = zip(found.split(b"\n"), expected.split(b"\n"), strict=False)
    first = next((i for i, (a, b) in enumerate(pairs, 1) if a != b), None)
    return f"differs first in line {first}" if first else "differs in length"
