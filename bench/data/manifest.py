"""The manifest of a data set on disk: measure every video once, later only those that changed.

A parquet file with one row per video, sorted by ``path`` (posix, relative to the root): class,
split (train, val, test or ""), frames (decodable; 0: unusable), fps, width, height, bytes,
mtime_ns, sha256 ("" unless asked for) and reason (why it is unusable, or what is odd about it).
The metadata of the file name the data set and its root. ``check_manifest`` decodes a few frames of
every video to find files that have been cut or replaced since.
"""

import errno
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bench.data.folders import find_videos
from bench.data.lists import inside
from bench.data.probe import Measurement, check_file, measure_file
from bench.data.reference import published_size
from bench.errors import UserError
from bench.utils.io import DAMAGED, replacing
from bench.utils.progress import track
from bench.utils.worker_pool import DIED, TIMED_OUT, TIMEOUT, Lost, run

STAMP = ["path", "bytes", "mtime_ns"]
"""What a file is known by: while these are the same, it is not read again."""
MEASURED = list(Measurement._fields)
_KINDS = {
    **dict.fromkeys(("path", "class", "split", "reason", "sha256"), "str"),
    **dict.fromkeys(("frames", "width", "height", "bytes", "mtime_ns"), "int64"),
    "fps": "float64",
}
COLUMNS = ["path", "class", "split", *MEASURED[:4], "bytes", "mtime_ns", *MEASURED[4:]]
RETRIED = (
    rf"{TIMED_OUT}|{DIED}|cannot be read|(?:cannot be opened|breaks off after \d+ frames): "
    rf"(?:{'|'.join(map(os.strerror, (errno.EACCES, errno.EIO, errno.ESTALE)))})"
)
"""Reasons that may be gone the next time though the file is the same."""


def update_manifest(
    name: str,
    root: Path,
    out: Path,
    lists: Sequence[Path] = (),
    *,
    sha256: bool = False,
    jobs: int = 1,
    timeout: float = TIMEOUT,
    say: Callable[[str], None] = print,
) -> pd.DataFrame:
    """Write the manifest of the videos under ``root`` to ``out``, and return its rows.

    Only files that ``out`` does not have with the same bytes and mtime are decoded. Each
    measurement goes to a journal beside ``out`` at once, so that a kill loses none. ``say`` gets
    the report, line by line. Raises UserError for wrong input.
    """
    root = root.resolve()
    with _journal(out.with_name(f".{out.name}.journal")) as (lines, resumed):
        old = read_manifest(out, name)[0] if out.exists() else pd.DataFrame(columns=COLUMNS)
        rows, notes = find_videos(name, root, lists)
        for note in notes:  # before hours of decoding
            say(note)
        known = pd.concat(part for part in (resumed, old) if len(part) or part is old)
        known = known.drop_duplicates("path")[[*STAMP, *MEASURED]]
        known = known.astype({"path": "str", "bytes": "int64", "mtime_ns": "int64"})
        rows = rows.merge(known, on=STAMP, how="left", validate="one_to_one")
        todo = rows["frames"].isna() | rows["reason"].str.match(RETRIED).eq(True)
        if sha256:
            todo |= rows["sha256"].eq("") & rows["frames"].gt(0)
        todo_rows = np.flatnonzero(todo)
        dropped = len(set(old["path"]).difference(rows["path"]))
        what = f"reading {len(todo_rows)} of {len(rows)} videos of {name}"
        measure = partial(measure_file, root=root, sha256=sha256)
        results = run(measure, rows["path"].iloc[todo_rows], jobs, timeout)
        read = _fill(rows, todo_rows, track(results, len(todo_rows), what), lines, jobs)
        rows = rows[COLUMNS].astype({c: "int64" for c in ("frames", "width", "height")})
        _write(rows, out, name, root)
    say(
        f"{name}: {len(rows)} videos, {rows['class'].nunique()} classes in {root}; "
        f"{len(rows) - len(todo_rows)} kept, {len(todo_rows)} read, {dropped} dropped"
    )
    for line in [*_reasons(rows), *_published(name, rows)]:
        say(line)
    if read:
        say(read)
    return rows


def read_manifest(file: Path, name: str = "") -> tuple[pd.DataFrame, Path]:
    """Return the rows of a manifest and its root; with ``name`` it must be of that data set."""
    try:
        table = pq.read_table(file, page_checksum_verification=True)
        facts = json.loads((table.schema.metadata or {})[b"bench"])
        rows, known, root = table.to_pandas()[COLUMNS], facts["dataset"], Path(facts["root"])
        for column, kind in _KINDS.items():
            rows[column] = rows[column].astype(kind)
            if kind == "str":
                "".join(rows[column]).encode()
        if rows["path"].duplicated().any():
            raise ValueError("a path stands there twice")
    except FileNotFoundError:
        raise UserError(
            f"manifest {file} is missing; 'bench data index {name or 'NAME'} --root FOLDER' "
            "writes it"
        ) from None
    except DAMAGED as error:
        told = " ".join(str(error).split())
        raise UserError(
            f"{file} is no manifest of 'bench data index', or damaged ({told}); delete it and "
            "index again"
        ) from None
    if name and known != name:
        raise UserError(f"{file} is the manifest of {known}, not of {name}; name another file")
    for path in rows["path"]:
        inside(path, str(file))
    return rows, root


def _write(rows: pd.DataFrame, out: Path, name: str, root: Path) -> None:
    table = pa.Table.from_pandas(rows, preserve_index=False)
    facts = json.dumps({"dataset": name, "root": str(root)})
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), b"bench": facts})
    with replacing(out) as part:
        pq.write_table(table, part, write_page_checksum=True)


def _fill(
    rows: pd.DataFrame,
    todo: np.ndarray[Any, np.dtype[np.intp]],
    results: Iterable[tuple[str, Measurement | Lost]],
    journal: TextIO,
    jobs: int,
) -> str:
    """Fill in the rows ``todo``, each in the journal first; return the rate in a line."""
    text = ("sha256", "reason")
    columns = {c: rows[c].to_numpy(object if c in text else float, copy=True) for c in MEASURED}
    place = {path: i for path, i in zip(rows["path"].iloc[todo], todo, strict=True)}
    sizes, times = rows["bytes"].to_numpy(), rows["mtime_ns"].to_numpy()
    start, frames = time.perf_counter(), 0
    for path, found in results:
        if isinstance(found, Lost):
            found = Measurement(0, 0.0, 0, 0, "", found.reason)
        i = place[path]
        journal.write(json.dumps([path, int(sizes[i]), int(times[i]), *found]) + "\n")
        journal.flush()
        frames += found.frames
        for name, value in zip(MEASURED, found, strict=True):
            columns[name][i] = value
    for name, values in columns.items():
        rows[name] = values
    if not len(todo):
        return ""
    took = time.perf_counter() - start
    return (
        f"read {len(todo)} videos, {frames} frames in {took:.1f} s: {len(todo) / took:.1f} "
        f"videos/s, {frames / took:.0f} frames/s with {jobs} processes"
    )


@contextmanager
def _journal(path: Path) -> Iterator[tuple[TextIO, pd.DataFrame]]:
    """Yield a file to append to and the rows that a killed run left there; remove it at the end.

    It is locked, so that a second run on the same manifest waits for the first.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        file = path.open("a+", encoding="utf-8")
        fcntl.flock(file, fcntl.LOCK_EX)
        if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
            break
        file.close()  # removed by the run that this one waited for
    with file:
        file.seek(0)
        rows = [row for line in file if (row := _row(line))]
        if os.fstat(file.fileno()).st_size:
            file.write("\n")  # a kill may have left half a line
        done = False
        try:
            yield file, pd.DataFrame(rows, columns=[*STAMP, *MEASURED])
            done = True
        finally:
            file.flush()
            if done or not os.fstat(file.fileno()).st_size:
                path.unlink()


def _row(line: str) -> list[Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, list) and len(row) == len(STAMP) + len(MEASURED) else None


def _reasons(rows: pd.DataFrame) -> Iterator[str]:
    """Yield a line on the unusable videos and one on the odd ones, with the first three."""
    broken = rows["frames"] == 0
    for what, some in (("unusable videos", broken), ("usable, but odd videos", ~broken)):
        chosen = rows[some & (rows["reason"] != "")]
        if len(chosen):
            pairs = zip(chosen["path"][:3], chosen["reason"][:3], strict=True)
            shown = "; ".join(f"{path} ({reason})" for path, reason in pairs)
            yield f"{what}: {len(chosen)}, {shown}{'; …' if len(chosen) > 3 else ''}"


def _published(name: str, rows: pd.DataFrame) -> Iterator[str]:
    if size := published_size(name):
        classes, videos, source = size
        here = (rows["class"].nunique(), len(rows))
        if here == (classes, videos):
            yield f"as published: {classes} classes, {videos} videos ({source})"
        else:
            yield (
                f"published: {classes} classes, {videos} videos ({source}); here "
                f"{here[0] - classes:+d} classes, {here[1] - videos:+d} videos"
            )


def check_manifest(
    manifest: Path,
    name: str = "",
    root: Path | None = None,
    *,
    jobs: int = 1,
    timeout: float = TIMEOUT,
    seed: int = 0,
    say: Callable[[str], None] = print,
) -> pd.DataFrame:
    """Decode first, last and three random frames of each video; return the bad ones, sorted.

    They are written to ``<manifest's stem>.bad.csv`` beside it: path, class, reason. What the
    manifest calls unusable is bad without another look. ``root`` replaces the manifest's.
    """
    rows, known = read_manifest(manifest, name)
    root = (root or known).resolve()
    if not root.is_dir():
        raise UserError(f"folder {root} of {manifest} is missing; name it with --root")
    bad = {p: r for p, n, r in rows[["path", "frames", "reason"]].itertuples(index=False) if n == 0}
    unusable = len(bad)
    usable = rows.loc[rows["frames"] > 0, ["path", "frames", "bytes"]]
    tasks = ((p, int(n), int(size)) for p, n, size in usable.itertuples(index=False))
    check = partial(check_file, root=root, seed=seed)
    results = run(check, tasks, jobs, timeout)
    for (path, _, _), reason in track(results, len(usable), f"checking {manifest.stem}"):
        if isinstance(reason, Lost):
            bad[path] = reason.reason
        elif reason:
            bad[path] = reason
    table = rows.loc[rows["path"].isin(bad.keys()), ["path", "class"]].reset_index(drop=True)
    table["reason"] = [bad[path] for path in table["path"]]
    out = manifest.with_suffix(".bad.csv")
    with replacing(out) as part:
        table.to_csv(part, index=False)
    say(
        f"{manifest.stem}: {len(rows)} videos, {len(rows) - len(bad)} good, {len(bad)} bad "
        f"({unusable} of them by the manifest, {len(bad) - unusable} found now); listed in {out}"
    )
    for path, _, reason in table[:3].itertuples(index=False):
        say(f"  {path}: {reason}")
    return table
