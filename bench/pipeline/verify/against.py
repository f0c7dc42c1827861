"""Compare all records of a profile with those of another training: has the mean of a row moved?"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.data.formats.input_files import COMPUTED
from bench.errors import UserError, unknown
from bench.evaluation.statistics import holm, paired_t, pooled, spread
from bench.experiments.record import Record, read_records
from bench.pipeline.verify.clean_tree import archived, commit_of
from bench.pipeline.verify.rerun import CODE, Verdict, changed, compare, otherwise
from bench.pipeline.verify.tables import profiles
from bench.reports.tables.typed_table import Counts, Number, Table, Value


class NotComparable(UserError):
    """No cell of a profile can be compared."""


@dataclass(frozen=True)
class Moved:
    """One accuracy of a row, in percent, over the cells that both folders have."""

    row: str
    metric: str
    n: int
    here: float
    there: float
    difference: float  # there − here
    std: float | None  # of a cell's difference; None for n = 1
    seeds_std: float | None  # of the difference of two seeds of one training split, here
    interval: tuple[float, float] | None  # 95 %, Student's t over the cells
    p: float | None  # of such a difference if it were chance; None where no cell's differs
    largest: tuple[str, float]  # the cell that moved most, and by how much
    p_holm: float | None = None  # corrected for all rows and accuracies of the profile

    @property
    def beyond_chance(self) -> bool:
        """Whether the mean moved by more than the cells' own scatter explains."""
        return self.p_holm is not None and self.p_holm <= 0.05


@dataclass(frozen=True)
class Beside:
    """What two folders of records say of one profile."""

    profile: str
    machine: list[str]  # in what environment those there were made, where it is another one
    verdicts: list[Verdict]  # of each cell in both that was made alike
    unlike: dict[str, list[str]]  # cell -> what it was made with that differs; left out
    remade: dict[str, list[str]]  # cell -> inputs that each machine made, of other bits; compared
    alone: tuple[int, int]  # cells only here, only there
    recoded: dict[str, list[str]]  # cell -> parts of other code; compared all the same
    copies: int  # cells whose two records are of one training: they say nothing; left out
    rows: list[Moved]

    @property
    def broken(self) -> list[str]:
        """Cells of one machine that differ: they do not repeat, or other code changed them."""
        return [v.cell for v in self.verdicts if v.word == "different" and not v.elsewhere]

    @property
    def scatter(self) -> tuple[float, float] | None:
        """A cell's move and the difference of two seeds: deviations, pooled over moved rows."""
        both = [
            (row.std**2, row.seeds_std**2)
            for row in self.rows
            if row.std is not None and row.seeds_std is not None and row.largest[1]
        ]
        if not both:
            return None
        cell, seeds = (math.sqrt(sum(one) / len(both)) for one in zip(*both, strict=True))
        return cell, seeds

    @property
    def stands(self) -> bool:
        """Whether nothing differs that should not."""
        return not self.broken and not any(row.beyond_chance for row in self.rows)


def beside(here: Path, there: Path, profile: str, points: float) -> Beside:
    """Compare the records of two folders ``results``; ``points`` as in ``compare``.

    Results are compared whatever the code was, so that a refactoring can show that it changed
    nothing. Cells of other parameters, data or splits are named and left out of every number. So
    are cells with other inputs, unless another machine computed them.
    Raises NotComparable if no cell is left, UserError if a record is damaged.
    """
    own, other = (
        {record.cell: record for record in read_records(folder / "records" / profile)}
        for folder in (here, there)
    )
    both = [(own[name], other[name]) for name in own if name in other]
    pairs = [(a, b) for a, b in both if (a.started, a.wall_s) != (b.started, b.wall_s)]
    differing = {a.cell: list(_unlike(a, b)) for a, b in pairs}
    recoded = {cell: [n for n in names if n in CODE] for cell, names in differing.items()}
    unlike = {cell: [n for n in names if n not in CODE] for cell, names in differing.items()}
    remade = {a.cell: unlike[a.cell] for a, b in pairs if _remade(a, b, unlike[a.cell])}
    unlike = {cell: names for cell, names in unlike.items() if names and cell not in remade}
    alike = [(a, b) for a, b in pairs if a.cell not in unlike]
    if not alike:
        found = Counter(name for names in unlike.values() for name in names)
        copies = "the same trainings" if both else "no cell is in both"
        why = ", ".join(name for name, _ in found.most_common()) or copies
        raise NotComparable(f"no record of profile {profile} can be compared ({why})")
    machine = dict.fromkeys(
        line for a, b in alike for line in changed(a.environment, b.environment, "here")
    )
    return Beside(
        profile,
        list(machine),
        [compare(a, b, points) for a, b in alike],
        unlike,
        remade,
        (len(own) - len(both), len(other) - len(both)),
        {a.cell: recoded[a.cell] for a, _ in alike if recoded[a.cell]},
        len(both) - len(pairs),
        list(_tested(_rows(alike))),
    )


def _unlike(here: Record, there: Record) -> Iterator[str]:
    for record, name in ((here, "here"), (there, "there")):
        if record.status != "ok":
            yield f"{record.status} {name}"
    if here.status == there.status == "ok":
        yield from otherwise(here, there)


def _remade(here: Record, there: Record, unlike: Sequence[str]) -> bool:
    """Tell whether all that differs are inputs that another machine computed to other bits."""
    inputs = bool(unlike) and all(name.startswith(COMPUTED) for name in unlike)
    return inputs and bool(changed(here.environment, there.environment))


def _headlines(records: Iterable[Record]) -> list[str]:
    """Return each test data set's first accuracy: top1, of gzsl the harmonic mean."""
    first: dict[str, str] = {}
    for record in records:
        for key in record.metrics:
            name, protocol, metric = key.rsplit(".", 2)
            if metric == ("harmonic" if protocol == "gzsl" else "top1") and name != "seen":
                first.setdefault(name, key)
    return list(first.values())


def _rows(pairs: Sequence[tuple[Record, Record]]) -> Iterator[Moved]:
    rows: dict[str, list[tuple[Record, Record]]] = defaultdict(list)
    for pair in pairs:
        rows[pair[0].row].append(pair)
    keys = _headlines(a for a, _ in pairs)
    for row, cells in sorted(rows.items()):
        for key in keys:
            measured = [(a, b) for a, b in cells if key in a.metrics and key in b.metrics]
            if measured:
                yield _moved(row, key, measured)


def _moved(row: str, key: str, cells: Sequence[tuple[Record, Record]]) -> Moved:
    gaps = [b.metrics[key] - a.metrics[key] for a, b in cells]
    splits: dict[str, list[float]] = defaultdict(list)
    for a, _ in cells:
        splits[a.split].append(a.metrics[key])
    seeds = pooled(list(splits.values()))
    found = spread(gaps)
    interval, p = paired_t(gaps)
    worst = max(range(len(gaps)), key=lambda i: abs(gaps[i]))
    return Moved(
        row,
        key,
        found.n,
        spread([a.metrics[key] for a, _ in cells]).mean,
        spread([b.metrics[key] for _, b in cells]).mean,
        found.mean,
        found.std,
        seeds.std * math.sqrt(2) if seeds and seeds.std is not None else None,
        interval,
        p,
        (cells[worst][0].cell, gaps[worst]),
    )


def _tested(rows: Iterable[Moved]) -> Iterator[Moved]:
    listed = list(rows)
    corrected = iter(holm([row.p for row in listed if row.p is not None]))
    for row in listed:
        yield row if row.p is None else replace(row, p_holm=next(corrected))


def compare_trainings(
    root: Path, here: Path, source: str, profile: str | None, points: float
) -> tuple[list[Beside], list[str]]:
    """Compare the records in ``here`` with those in ``source``, a folder or a commit.

    Return one comparison per profile, and a note for each profile that cannot be compared. If no
    profile can be compared, raise a UserError.
    """
    with _results_of(root, here, source) as there:
        both = [name for name in profiles(here) if name in profiles(there)]
        if profile and profile not in both:
            raise unknown(f"profile in {here} and in --against {source}", profile, both)
        if not both:
            raise UserError(f"--against {source}: has no profile of {here}")
        found, notes = [], []
        for name in [profile] if profile else both:
            try:
                found.append(beside(here, there, name, points))
            except NotComparable as error:
                notes.append(f"--against {source}: {error}")
    if not found:
        raise UserError(notes[0])
    return found, notes


@contextmanager
def _results_of(root: Path, here: Path, source: str) -> Iterator[Path]:
    """Yield the results folder that ``source`` names, or that of a commit."""
    path = Path(source)
    if path.is_dir():
        if path.resolve() == here:
            raise UserError(
                f"--against {source}: is the verified folder itself; give another, or HEAD"
            )
        yield path
        return
    commit = commit_of(root, source)
    if not commit:
        raise UserError(f"--against {source}: neither a folder nor a commit of this repository")
    with TemporaryDirectory(prefix="bench-") as tree:
        if not archived(root, commit, Path(tree), "results"):
            raise UserError(f"--against {source}: commit {commit[:8]} has no results/")
        yield Path(tree) / "results"


_COLUMNS = (
    *("method", "data set", "n", "here", "there", "moved", "95 %"),
    *("cell ±", "seeds ±", "moved most"),
)
_NOTES = (
    "moved: there − here, in points, with the 95 % interval of the mean over n cells; * p ≤ 0.05 "
    "after Holm's correction for all of the profile.",
    "cell ±: deviation of one cell's move. seeds ±: of the difference between two seeds of one "
    "training split, here.",
)


def tabled(one: Beside) -> Table:
    """Return the rows of one profile as a table, with what is said of its cells above and below."""
    return Table(
        f"{one.profile}, trained here and there",
        list(_cells(one)),
        [("", name) for name in _COLUMNS],
        [_row(row) for row in one.rows],
        [*_outcome(one), *_NOTES],
        [asdict(row) for row in one.rows],
    )


def _cells(one: Beside) -> Iterator[str]:
    counts = Counter(verdict.word for verdict in one.verdicts)
    told = ", ".join(f"{count} {word}" for word, count in counts.most_common())
    yield f"{len(one.verdicts)} cells compared: {told}."
    yield from (f"Another machine or version there: {what}." for what in one.machine)
    for count, where in zip(one.alone, ("here", "there"), strict=True):
        if count:
            yield f"{count} cells only {where}."
    if one.copies:
        yield f"{one.copies} cells are of one training, whose record is in both; left out."
    parts = Counter(", ".join(names) for names in one.unlike.values())
    yield from (f"{n} cells not made alike, left out: {what}." for what, n in parts.most_common())
    coded = Counter(", ".join(names) for names in one.recoded.values())
    yield from (f"{n} cells of other code ({what}), compared too." for what, n in coded.items())
    made = Counter(", ".join(names) for names in one.remade.values())
    for what, n in made.most_common():
        yield f"{n} cells with other bits of {what}, as each machine made it; they are compared."


def _outcome(one: Beside) -> Iterator[str]:
    beyond = [f"{row.row} ({row.metric})" for row in one.rows if row.beyond_chance]
    moved = sum(row.largest[1] != 0 for row in one.rows)
    tested = [row.p for row in one.rows if row.p is not None]
    alone = sum(p <= 0.05 for p in tested)
    yield (
        f"Of {len(one.rows)} accuracies {moved} moved: {alone} with p ≤ 0.05 before correction "
        f"(chance: about {0.05 * len(tested):.0f} of {len(tested)}), {len(beyond)} after Holm's "
        f"correction{': ' if beyond else ''}{', '.join(beyond)}."
    )
    if one.scatter:
        cell, seeds = one.scatter
        yield (
            f"Pooled over rows that moved: a cell moves by ± {cell:.1f}, "
            f"two seeds differ by ± {seeds:.1f} points."
        )
    if one.broken:
        yield f"On one machine, and yet different: {', '.join(one.broken)}."


def _row(row: Moved) -> list[Value]:
    low, high = row.interval or (0.0, 0.0)
    cell, by = row.largest
    return [
        *(row.row, row.metric.rpartition(".")[0], Counts.of(row.n)),
        *(Number(row.here), Number(row.there)),
        _points(row.difference, row.beyond_chance),
        f"{_points(low)} to {_points(high)}" if row.interval else None,
        None if row.std is None else Number(row.std),
        None if row.seeds_std is None else Number(row.seeds_std),
        f"{_points(by)} ({cell.removeprefix(f'{row.row}.')})" if by else None,
    ]


def _points(points: float, is_tied: bool = False) -> Number:
    rounds_to_zero = not round(points, 1)
    return Number(0.0 if rounds_to_zero else points, signed=not rounds_to_zero, is_tied=is_tied)
