"""Find the videos of a data set, with their classes and splits, in folders and in CSV lists.

A file's class is that of its row in a list, else the name of its folder, else the class in a
UCF101 file name. Its split is that of its row, else the one of a folder train, val or test above
it. Folders may be nested and linked; a loop of links is entered once.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from heapq import nsmallest
from pathlib import Path, PurePosixPath
from textwrap import shorten
from typing import Any, NamedTuple

import pandas as pd

from bench.data import reference as facts
from bench.data.reference.class_names import finder, key
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
    """Rows of one or more lists, found by the path of a file or by the clip in its name."""

    def __init__(self) -> None:
        self.odd: dict[str, list[str]] = {}
        self._paths: dict[str, Where] = {}
        self._clips: dict[str, tuple[Where, ...]] = {}  # id_start_end, or only the id
        self._ids: dict[str, tuple[Where, ...]] = {}  # ids of clips with times
        self._seen: set[str] = set()

    def find(self, path: str) -> list[Where]:
        """Return the class and split of each row that matches a file, and mark the row as found."""
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
        """Return the clips of id lists without a file of their name."""
        ids = self._seen & self._ids.keys()
        missing = (clip for clip in self._clips if clip not in self._seen)
        return [clip for clip in missing if not ids or clip[:-14] not in ids]

    def add_path(self, path: str, where: Where, file: Path) -> None:
        """Add a row of a plain list; raise UserError for a path outside the root or a duplicate."""
        plain = inside(path, str(file))
        if self._paths.setdefault(plain, where) != where:
            raise UserError(f"{file}: '{path}' has two classes or splits; keep one row")

    def add_clip(self, video: str, times: str, where: Where) -> None:
        """Add a row of an id list; ``times`` is _start_end of six digits each, or empty."""
        for table, name in ((self._clips, video + times), (self._ids, video)):
            if (times or table is self._clips) and where not in table.get(name, ()):
                table[name] = (*table.get(name, ()), where)


def inside(path: str, source: str) -> str:
    """Return a relative path in normal form; raise UserError if it leads out of its root."""
    parts = PurePosixPath(path)
    if any("\ud800" <= char <= "\udfff" for char in path):
        raise UserError(f"{source}: the path '{path}' is not valid UTF-8; rename the file")
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
    """Return the times as in file names of clips (_000001_000011), "" where the list has none."""
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


VIDEO_SUFFIXES = (".avi", ".mp4", ".mkv", ".webm", ".mov", ".mpg", ".mpeg", ".m4v", ".flv", ".wmv")
UCF_NAME = re.compile(r"v_(\w+)_g\d+_c\d+$")  # v_ApplyEyeMakeup_g01_c02

NOT_UTF8 = "left out, file names that are not UTF-8 (rename them)"


class Found(NamedTuple):
    """Videos (path, class, split, bytes, mtime_ns; sorted by path) and notes for the user."""

    rows: pd.DataFrame
    notes: list[str]


def find_videos(name: str, root: Path, lists: Sequence[Path] = ()) -> Found:
    """List the videos of data set ``name`` under ``root``, by class folders or by ``lists``.

    Raises UserError for a folder of videos that is not named after a class, and for a list that
    cannot be read, has an unknown class or has a path outside ``root``.
    """
    known, meant = _known_classes(name)
    resolve = _resolver(name, known)
    listed = read_lists(lists, resolve) if lists else None
    files, unreadable, empty = _scan(name, root)
    odd = {"folders that cannot be read": unreadable, "folders without a video": empty}
    rows: list[tuple[str, str, str, int, int]] = []
    place = _by_lists(listed, resolve) if listed else _by_names(resolve, root)
    for path, (size, changed) in files.items():
        where = place(path) if _is_utf8(path) else NOT_UTF8
        if isinstance(where, str):
            odd.setdefault(where, []).append(path)
        else:
            rows.append((path, *where, size, changed))
    if listed:
        rows += [_named(root, path, *where) for path, where in listed.unseen_paths()]
        odd["rows of the lists without a file"] = listed.unseen_clips()
        odd |= listed.odd
    if known:
        present = {row[1] for row in rows}
        odd["classes without a video"] = [one for one in known if one not in present]
    notes = [*meant, *(_line(what, items) for what, items in odd.items() if items)]
    _one_spelling(name, (row[1] for row in rows))
    if not rows:
        hint = "" if lists else "; videos without class folders need a list of classes (--list)"
        said = f" ({shorten(notes[0], 200)})" if notes else ""
        raise UserError(
            f"data set {name}: no videos in {root}{said}, expected {root}/CLASS/VIDEO.avi{hint}"
        )
    table = pd.DataFrame(rows, columns=["path", "class", "split", "bytes", "mtime_ns"])
    return Found(table.sort_values("path", ignore_index=True), notes)


Place = Callable[[str], Where | str]  # of a path; a str says why it has none


def _by_names(resolve: Callable[[str], str], root: Path) -> Place:
    @cache
    def of_folder(folder: str, parent: str) -> str:
        try:
            return resolve(folder)
        except UserError as error:
            told = shorten(str(error), 300, placeholder=" …")
            raise UserError(
                f"{root / parent} holds videos and is named after no class: {told}; rename it or "
                "move it away"
            ) from None

    def place(path: str) -> Where | str:
        parent, folder, split = _folders(path)
        stem = path.rpartition("/")[2].rpartition(".")[0]
        if folder:
            return of_folder(folder, parent), split
        if match := UCF_NAME.match(stem):
            return resolve(match[1]), split
        return "left out, files without a class folder (a --list can name their classes)"

    return place


def _by_lists(listed: Lists, resolve: Callable[[str], str]) -> Place:
    @cache
    def hint(folder: str) -> str:
        try:
            return resolve(folder) if folder else ""
        except UserError:
            return ""  # with a list, folders may have any name

    def place(path: str) -> Where | str:
        _, folder, split = _folders(path)
        candidates = listed.find(path)
        # One clip may be listed under two classes or splits: its folders decide.
        for part, wanted in ((0, hint(folder)), (1, split)):
            narrowed = [one for one in candidates if one[part] == wanted]
            candidates = narrowed or candidates
        if not candidates:
            return "left out, files without a row in the lists"
        if len({one[0] for one in candidates}) > 1:
            return "left out, files with rows of several classes in the lists"
        return candidates[0][0], candidates[0][1] or split

    return place


def _folders(path: str) -> tuple[str, str, str]:
    """Return the folders of a file, the last one's name ("" if it is a split's), and the split."""
    parent = path.rpartition("/")[0]
    names = parent.split("/")
    split = next((SPLITS[n.lower()] for n in names if n.lower() in SPLITS), "")
    return parent, "" if names[-1].lower() in SPLITS else names[-1], split


def _scan(name: str, root: Path) -> tuple[dict[str, tuple[int, int]], list[str], list[str]]:
    """Return path -> (bytes, mtime_ns) of every video; folders that cannot be read; empty ones."""
    files: dict[str, tuple[int, int]] = {}
    unreadable, empty = [], []
    todo: list[tuple[str, str, frozenset[tuple[int, int]]]] = [(str(root), "", frozenset())]
    while todo:
        folder, inside, above = todo.pop()
        try:
            entries = list(os.scandir(folder))
        except OSError as error:
            if not inside:
                raise UserError(
                    f"data set {name}: folder {root} is missing or cannot be read "
                    f"({error.strerror}); put the videos there, one folder a class, or set --root "
                    f"or profiles.….datasets.{name}.root in params.yaml"
                ) from None
            unreadable.append(inside)
            continue
        holds = False
        for entry in entries:
            path = f"{inside}/{entry.name}" if inside else entry.name
            if entry.name.startswith("."):
                continue
            if entry.name.lower().endswith(VIDEO_SUFFIXES):
                holds = True
                files[path] = _stat(entry)
            elif _is_dir(entry):
                holds = True
                stat = entry.stat()
                here = (stat.st_dev, stat.st_ino)
                if here not in above:
                    todo.append((entry.path, path, above | {here}))
        if not holds and inside:
            empty.append(inside)
    return files, sorted(unreadable), sorted(empty)


def _stat(entry: "os.DirEntry[str]") -> tuple[int, int]:
    try:
        stat = entry.stat()
    except OSError:  # a link to nothing
        return 0, 0
    return stat.st_size, stat.st_mtime_ns


def _is_dir(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _named(root: Path, path: str, label: str, split: str) -> tuple[str, str, str, int, int]:
    """Return the row of a path that only a list has; UserError if a link leads out of ``root``."""
    file = root / path
    if not os.path.exists(file):
        return path, label, split, 0, 0
    if not file.resolve().is_relative_to(root.resolve()):
        raise UserError(f"'{path}' of a list leads out of {root} by a link; put the file itself in")
    stat = file.stat()
    return path, label, split, stat.st_size, stat.st_mtime_ns


def _known_classes(name: str) -> tuple[list[str], list[str]]:
    """Return the classes of a public data set, else none and a note if ``name`` is close to one."""
    try:
        return list(facts.classes(name)), []
    except UserError as error:
        return [], [f"{error} If not, any class is taken"] if "did you mean" in str(error) else []


def _resolver(name: str, known: Sequence[str]) -> Callable[[str], str]:
    return cache(finder(f"class of {name}", known)) if known else str


def _one_spelling(name: str, classes: Iterable[str]) -> None:
    """Raise UserError if two classes are spellings of one: they would have the same words."""
    spelt: dict[str, str] = {}
    for one in dict.fromkeys(classes):
        first = spelt.setdefault(key(one) or one, one)
        if first != one:
            raise UserError(
                f"data set {name}: '{first}' and '{one}' are two spellings of one class; use one"
            )


def _is_utf8(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _line(what: str, items: Sequence[str]) -> str:
    """Return a line with the number of ``items`` and the first three."""
    first = ", ".join(nsmallest(3, items))
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in first)
    return f"{what}: {len(items)} ({shown}{', …' if len(items) > 3 else ''})"
