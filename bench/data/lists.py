"""CSV files that say which videos belong to which class: the official Kinetics ones, and plain."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from textwrap import shorten
from typing import Any

import pandas as pd

from bench.errors import UserError, unknown

SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validate", "validation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""How folders and lists call a split, in lower case."""
_COLUMNS = ("path", "class", "youtube_id", "label", "time_start", "time_end", "split")

Where = tuple[str, str]  # class and split


class Lists:
    """Rows of one or more lists, found by a file's path or by the clip that its name says."""

    def __init__(self) -> None:
        self.odd: dict[str, list[str]] = {}
        self._paths: dict[str, Where] = {}
        self._clips: dict[str, tuple[Where, ...]] = {}  # id_start_end, or the id alone
        self._ids: dict[str, tuple[Where, ...]] = {}  # ids of clips with times
        self._seen: set[str] = set()

    def find(self, path: str) -> list[Where]:
        """Return the class and split of each row that a file fulfils, and note that it is there."""
        if path in self._paths:
            self._seen.add(path)
            return [self._paths[path]]
        stem = path.rpartition("/")[2].rpartition(".")[0]
        for name in (stem, stem.removeprefix("v_")):
            if found := self._clips.get(name) or self._ids.get(name):
                self._seen.add(name)
                return list(found)
        return []

    def unseen_paths(self) -> Iterator[tuple[str, Where]]:
        """Yield the rows of plain lists whose files were not found."""
        return ((path, where) for path, where in self._paths.items() if path not in self._seen)

    def unseen_clips(self) -> list[str]:
        """Return the clips of id lists that no file is named after."""
        ids = self._seen & self._ids.keys()
        missing = (clip for clip in self._clips if clip not in self._seen)
        return [clip for clip in missing if not ids or clip[:-14] not in ids]

    def add_path(self, path: str, where: Where, file: Path) -> None:
        """Add a row of a plain list; raise UserError for a path that leads out or stands twice."""
        plain = inside(path, str(file))
        if self._paths.setdefault(plain, where) != where:
            raise UserError(f"{file}: '{path}' stands in two classes or splits; keep one row")

    def add_clip(self, video: str, times: str, where: Where) -> None:
        """Add a row of an id list; ``times`` is _start_end of six digits each, or empty."""
        for table, name in ((self._clips, video + times), (self._ids, video)):
            if (times or table is self._clips) and where not in table.get(name, ()):
                table[name] = (*table.get(name, ()), where)


def inside(path: str, source: str) -> str:
    """Return a path below a root in its plain form; raise UserError if it could lead out of it."""
    parts = PurePosixPath(path)
    if any("\ud800" <= char <= "\udfff" for char in path):
        raise UserError(f"{source}: the path '{path}' is no text; rename the file")
    if parts.is_absolute() or ".." in parts.parts or not parts.parts or "\0" in path:
        raise UserError(f"{source}: the path '{path}' leads out of the root; list paths below it")
    return str(parts)


def read_lists(files: Sequence[Path], resolve: Callable[[str], str]) -> Lists:
    """Read CSVs of label,youtube_id(,time_start,time_end,split) or path,class(,split).

    ``resolve`` turns a class's spelling into its name. Raises UserError, naming the file.
    """
    lists = Lists()
    for file in files:
        try:
            header = _read(file, header=None, nrows=1).iloc[0].str.strip().str.lower()
            if twice := list(header[header.isin(_COLUMNS) & header.duplicated()]):
                raise ValueError(f"line 1 has the column '{twice[0]}' twice")
            table = _read(file)
            if not isinstance(table.index, pd.RangeIndex):  # pandas takes the first for labels
                raise ValueError("rows have more fields than the first line")
        except FileNotFoundError:
            raise UserError(f"list {file} is missing") from None
        except (ValueError, OSError) as error:
            told = " ".join(str(error).split())
            raise UserError(f"list {file} cannot be read as CSV ({told})") from None
        table.columns = table.columns.str.strip().str.lower()
        if {"path", "class"} <= set(table):
            names, labels = table["path"], table["class"]
        elif {"youtube_id", "label"} <= set(table):
            names, labels = table["youtube_id"], table["label"]
        else:
            raise UserError(
                f"list {file} has the columns {', '.join(map(str, table))}; it needs path and "
                "class, or youtube_id and label"
            )
        labels = labels.str.strip()
        found = _classes(labels, resolve, file)
        splits = _splits(table, file)
        times = _times(table, file)
        for name, label, split, time in zip(names, labels, splits, times, strict=True):
            if not label:
                lists.odd.setdefault("rows of the lists without a class", []).append(name)
            elif "path" in table:
                lists.add_path(name, (found[label], split), file)
            else:
                lists.add_clip(name, time, (found[label], split))
    return lists


def _read(file: Path, **options: Any) -> pd.DataFrame:
    found: pd.DataFrame = pd.read_csv(
        file, dtype=str, keep_default_na=False, encoding="utf-8-sig", **options
    )
    return found


def _classes(labels: "pd.Series[str]", resolve: Callable[[str], str], file: Path) -> dict[str, str]:
    """Return spelling -> class."""
    try:
        return {label: resolve(label) for label in labels.unique() if label}
    except UserError as error:
        raise UserError(f"list {file}: {shorten(str(error), 300, placeholder=' …')}") from None


def _splits(table: pd.DataFrame, file: Path) -> list[str]:
    if "split" not in table:
        return [""] * len(table)
    names = table["split"].str.strip().str.lower()
    for name in names.unique():
        if name and name not in SPLITS:
            raise UserError(f"list {file}: {unknown('split', name, SPLITS)}")
    return [SPLITS.get(name, "") for name in names]


def _times(table: pd.DataFrame, file: Path) -> list[str]:
    """Return how the names of clips say their times, "" where the list has none."""
    if not {"time_start", "time_end"} <= set(table):
        return [""] * len(table)
    numbers = table[["time_start", "time_end"]].apply(pd.to_numeric, errors="coerce")
    numbers = numbers.astype("float64")  # of a list without a line they are texts still
    fit = (numbers.abs() < 1e6).all(axis=1).to_numpy()  # six digits; neither inf nor no number
    if not fit.all():
        line = int(fit.argmin()) + 2
        raise UserError(f"{file}: line {line} has no number of seconds in time_start or time_end")
    whole = numbers.astype("int64")
    return [f"_{a:06d}_{b:06d}" for a, b in zip(whole.iloc[:, 0], whole.iloc[:, 1], strict=True)]
