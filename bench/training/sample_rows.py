"""Which rows of an index a cell trains on and embeds, with their labels."""

from collections.abc import Collection, Mapping, Sequence

from bench.data.index import Index
from bench.data.input_reader import InputReader
from bench.data.video.clip_reader import CHANGED
from bench.errors import UserError


def held_out_rows(paths: Collection[str], index: Index) -> set[int]:
    """Return the rows of these videos; UserError for one that the index lacks."""
    place = {path: row for row, path in enumerate(index.paths)}
    lost = [path for path in paths if path not in place]
    if lost:
        raise UserError(
            f"'{lost[0]}' of the splits is not in {index.name}; run 'bench stage splits'"
        )
    return {place[path] for path in paths}


def rows_of(
    index: Index, classes: Sequence[str], without: Collection[int] = ()
) -> tuple[list[int], list[int]]:
    """Return the rows of these classes' videos but for ``without``, and their labels."""
    place = {index.classes.index(name): i for i, name in enumerate(classes)}
    left_out = set(without)
    rows = [i for i, y in enumerate(index.labels.tolist()) if y in place and i not in left_out]
    return rows, [place[int(index.labels[i])] for i in rows]


def without_failures(
    rows: Sequence[int], labels: Sequence[int], sources: Mapping[str, InputReader], index: Index
) -> tuple[list[int], list[int]]:
    """Return the rows that every source can read, and their labels; UserError if none is left.

    UserError, too, for a video that could be read when it was indexed: no training is silently
    smaller than another of the same fingerprint.
    """
    changed = {row: why for source in sources.values() for row, why in source.changed.items()}
    if found := changed.keys() & set(rows):
        row = min(found)
        raise UserError(
            f"training video {index.root / index.paths[row]}: {changed[row]}; {CHANGED}"
        )
    failed = {row for source in sources.values() for row in source.failures}
    pairs = [(r, y) for r, y in zip(rows, labels, strict=True) if r not in failed]
    if not pairs:
        raise UserError("no training video can be read")
    return [r for r, _ in pairs], [y for _, y in pairs]


def first_per_class(
    rows: Sequence[int], labels: Sequence[int], count: int
) -> tuple[list[int], list[int]]:
    """Return the first ``count`` rows of each label, and their labels."""
    taken: dict[int, int] = {}
    chosen = []
    for row, label in zip(rows, labels, strict=True):
        taken[label] = taken.get(label, 0) + 1
        if taken[label] <= count:
            chosen.append((row, label))
    return [r for r, _ in chosen], [y for _, y in chosen]
