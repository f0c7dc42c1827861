"""The rows that figures show, how they are drawn, and which are compared."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from bench.config.paths import Layout
from bench.errors import UserError, unknown
from bench.evaluation.statistics import Gap, draws_gap, t_quantile
from bench.reports.figures.drawing import MARKERS, PALETTE, Look
from bench.reports.tables.context import TableContext
from bench.reports.tables.rows import Row, collect

TABLE = "ablation"  # of the published ones: its rows lead in every figure


@dataclass(frozen=True)
class Material:
    """The measured rows of a profile, in the order of the tables."""

    context: TableContext
    layout: Layout
    chosen: tuple[str, str] | None = None  # rows to compare
    one: str = ""  # the row of the figures that show a single one
    looks: dict[str, Look] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        leading = [row.name for row in self.leading]
        colours = zip(leading, PALETTE, MARKERS, strict=False)
        self.looks.update({name: Look(colour, marker) for name, colour, marker in colours})
        others = [row.name for row in self.rows if row.name not in self.looks]
        self.looks.update({name: Look(number=str(i)) for i, name in enumerate(others, 1)})

    @cached_property
    def rows(self) -> list[Row]:
        """Every measured row, with readings; the label of a row that is not current says so."""
        found = [row for row in collect(self.context, TABLE, "sota", "modern") if row.values]
        return [
            row if row.is_current else replace(row, label=f"{row.label} ({row.status})")
            for row in found
        ]

    @cached_property
    def own(self) -> list[Row]:
        """The measured rows without the alternative readings."""
        return [row for row in self.rows if not row.is_variant]

    @cached_property
    def leading(self) -> list[Row]:
        """The rows of the published ablation, or else the first rows; at most five."""
        published = [row for row in collect(self.context, TABLE) if row.published]
        names = {row.name for row in published}
        return ([row for row in self.own if row.name in names] or self.own)[: len(PALETTE)]

    @cached_property
    def compare(self) -> tuple[Row, Row] | None:
        """The two rows to compare: those asked for, or else the last two leading ones.

        UserError for an unknown row or one that is not measured.
        """
        if self.chosen is None:
            return (self.leading[-2], self.leading[-1]) if len(self.leading) > 1 else None
        if self.chosen[0] == self.chosen[1]:
            raise UserError(f"'{self.chosen[0]}' is compared with itself; name two rows")
        return self._named(self.chosen[0]), self._named(self.chosen[1])

    @cached_property
    def row(self) -> Row | None:
        """The row of single-row figures: the one asked for, or else the first compared row."""
        if self.one:
            return self._named(self.one)
        return self.compare[0] if self.compare else next(iter(self.rows), None)

    def _named(self, name: str) -> Row:
        rows = {row.name: row for row in self.rows}
        if name not in rows:
            planned = {row.name: row for row in collect(self.context)}
            if name in planned:
                raise UserError(f"row '{name}' has no measured number ({planned[name].state})")
            raise unknown("row", name, rows)
        return rows[name]

    def interval(self, row: Row, key: str, to: float = 0.0) -> Gap | None:
        """Return mean − ``to`` of one accuracy with its 95 % interval; ``None`` if not measured.

        Over seeds of the same test classes: Student's t. Over draws of the classes: corrected for
        shared classes (``draws_gap``). Cut at 0 and 100 %. No interval for n = 1.
        """
        found = row.spread(key)
        if found is None:
            return None
        scope = key.rpartition(".")[0]
        if self.context.per_draw(scope):
            level = dict.fromkeys(row.values[key], to)
            return _cut(draws_gap(row.values[key], level, *self.context.draw_sizes(scope)), to)
        middle = found.mean - to
        if found.std is None:
            return Gap(middle, None)
        half = t_quantile(found.n - 1) * found.std / found.n**0.5
        return _cut(Gap(middle, (middle - half, middle + half)), to)


def _cut(gap: Gap, to: float) -> Gap:
    """Cut the interval of an accuracy minus ``to`` at 0 and 100 %."""
    if gap.interval is None:
        return gap
    low, high = gap.interval
    return replace(gap, interval=(max(low, 0.0 - to), min(high, 100.0 - to)))


def points(values: Sequence[float]) -> str:
    """Return numbers as ``81.0, 84.5``."""
    return ", ".join(f"{value:.1f}" for value in values)
