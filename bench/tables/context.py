"""What a table is made of: the records, the plan, and what the profile says about both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from bench.config import ONE_SPLIT
from bench.facts import Published
from bench.records import Record

TRANSFER = "transfer"


class Planned(Protocol):
    """A cell that the profile asks for (``bench.plan.PlannedCell``)."""

    @property
    def row(self) -> str: ...  # noqa: D102
    @property
    def method(self) -> str: ...  # noqa: D102
    @property
    def reading(self) -> Mapping[str, object]: ...  # noqa: D102
    @property
    def label(self) -> str: ...  # noqa: D102
    @property
    def split(self) -> str: ...  # noqa: D102
    @property
    def seed(self) -> int: ...  # noqa: D102
    @property
    def parts(self) -> Mapping[str, str]: ...  # noqa: D102
    @property
    def problem(self) -> str: ...  # noqa: D102
    @property
    def cell(self) -> str: ...  # noqa: D102


@dataclass(frozen=True)
class TableContext:
    """Everything that a table needs, without data, torch or a trained model."""

    profile: str
    header: str  # one line that names the profile and its setting
    is_embedded_world: bool
    train: str  # training data set of the cells that are trained once ("" if there are none)
    tests: dict[str, tuple[str, ...]]  # test data set -> protocols, the primary one first
    records: list[Record]
    planned: Sequence[Planned]
    splits: Path  # the profile's folder of split files
    clips: int | None = None  # clips a test video; a Δ to a number with other clips is not shown
    readings_hint: str = "add one under 'readings' in params.yaml and run 'dvc repro'"

    @property
    def primary(self) -> list[str]:
        """Return ``<data set>.<first protocol>`` for every test data set."""
        return [f"{name}.{protocols[0]}" for name, protocols in self.tests.items()]

    def per_split(self, scope: str) -> bool:
        """Return whether ``<data set>.<protocol>`` is trained on seen classes of its own."""
        cells = [cell.split for cell in self.planned] or [record.split for record in self.records]
        return any(split.startswith(f"{scope}.") for split in cells)

    def per_draw(self, scope: str) -> bool:
        """Return whether draws of the classes are what is repeated, not seeds."""
        return scope.partition(".")[2] not in ONE_SPLIT and self.per_split(scope)

    def headline(self, scope: str) -> str:
        """Return the metric of a scope's accuracy column: top1, of gzsl the harmonic mean."""
        return f"{scope}.harmonic" if scope.endswith(".gzsl") else f"{scope}.top1"

    def comparable(self, number: Published) -> bool:
        """Return whether a measured number may stand against a published one (a Δ column)."""
        return (
            not self.is_embedded_world
            and number.protocol in self.tests.get(number.dataset, ())
            and (None in (self.clips, number.clips) or self.clips == number.clips)
        )


@dataclass(frozen=True)
class Table:
    """A finished table of strings: ``columns`` are (group, name), ``data`` is its json form."""

    title: str
    header: list[str]
    columns: list[tuple[str, str]]
    rows: list[list[str]]
    notes: list[str]
    data: list[dict[str, Any]] = field(default_factory=list)
