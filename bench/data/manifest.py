"""The manifest of a data set on disk: measure each video once, later only those that changed.

A parquet file with one row per video, sorted by ``path`` (posix, relative to the root): class,
split (train, val, test or ""), frames (decodable; 0: unusable), fps, width, height, bytes,
mtime_ns, sha256 ("" unless asked for) and reason (why the video is unusable, or what is odd about
it). The metadata of the file name the data set and its root. ``list_videos`` and ``list_features``
make the rows of an index; ``check_manifest`` decodes a few frames of every video to find files
that were truncated or replaced later.
"""

import errno
import fcntl
import hashlib
import json
import os
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TextIO, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bench.config.paths import Layout
from bench.config.profile import DataSet
from bench.data.folders import find_videos, inside
from bench.data.index import read_features
from bench.data.reference import published_size
from bench.data.video.decode import VideoError, iter_frames, measure_video
from bench.errors import UserError
from bench.utils.io import DAMAGED, replacing
from bench.utils.terminal import track
from bench.utils.worker_pool import DIED, TIMED_OUT, TIMEOUT, Lost, run

# Containers round: a header that announces a frame or two more does not mean a broken file.
TRUNCATED = 0.9


class Measurement(NamedTuple):
    """One video: decodable frames (0: unusable), frames per second, displayed size, a note.

    ``reason`` is why it is unusable, or what is odd about it.
    """

    frames: int
    fps: float
    width: int
    height: int
    sha256: str
    reason: str


def measure_file(path: str, root: Path, sha256: bool = False) -> Measurement:
    """Decode all of ``root / path``; with ``sha256`` also hash its bytes. Never raises."""
    file = root / path
    try:
        if file.is_file() and not file.stat().st_size:
            return Measurement(0, 0.0, 0, 0, "", "empty file")
        found = measure_video(file)
        hashed = _sha256(file) if sha256 else ""
    except VideoError as error:
        return Measurement(0, 0.0, 0, 0, "", error.reason)
    except OSError as error:
        return Measurement(0, 0.0, 0, 0, "", f"cannot be read: {error.strerror}")
    note = "one frame only" if found.frames == 1 else ""
    if found.frames < TRUNCATED * found.announced:
        note = f"truncated? its header says {found.announced} frames, {found.frames} decode"
    return Measurement(found.frames, found.fps, found.width, found.height, hashed, note)


def check_file(task: tuple[str, int, int], root: Path, seed: int) -> str:
    """Decode the first, the last and three random frames of a video; return what is wrong, or "".

    ``task`` is path, frames and bytes as a manifest has them. The random frames are drawn with
    ``seed`` and the path, so that each run looks at the same ones. Never raises.
    """
    path, frames, size = task
    rng = np.random.default_rng([seed, zlib.crc32(path.encode())])
    wanted = {0, frames - 1, *rng.integers(frames, size=3).tolist()}
    try:
        now = os.stat(root / path).st_size
        if now != size:
            return f"changed: {now} bytes, {size} in the manifest"
        for _ in iter_frames(root / path, wanted):
            pass
    except VideoError as error:
        return error.reason
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return ""


def _sha256(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


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
    measurement is written to a journal beside ``out`` at once, so that a kill loses none. ``say``
    gets the report, line by line. Raises UserError for bad input.
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
            raise ValueError("a path is listed twice")
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
    """Fill in the rows ``todo``, after writing each to the journal; return a line with the rate."""
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
    """Yield a line about the unusable videos and one about the odd ones."""
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
    """Decode the first, the last and three random frames of each video; return the bad videos.

    They are written to ``<stem of the manifest>.bad.csv``: path, class, reason. Videos that are
    unusable by the manifest are bad without being decoded. ``root`` replaces the manifest's.
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


def list_videos(name: str, described: DataSet, layout: Layout, jobs: int) -> pd.DataFrame:
    """List a data set of video files: path, class, frames, bytes, sha256 ("") and reason.

    A .parquet manifest of ``bench data index`` is trusted, except for files that are gone or have
    another size: those are unusable. Otherwise ``jobs`` processes measure the videos of ``root``,
    or those of a .csv of path and class; an unchanged file is measured once.
    """
    assert described.root is not None
    root = layout.root / described.root
    manifest = layout.root / described.manifest if described.manifest else None
    if manifest and manifest.suffix == ".parquet":
        rows = _still_there(root, read_manifest(manifest)[0], name)
    else:
        cache = layout.scratch / "manifests" / f"{name}.parquet"
        rows = update_manifest(name, root, cache, [manifest] if manifest else [], jobs=jobs)
    if described.use:
        rows = rows[rows["split"].isin(described.use)]
        if rows.empty:
            raise UserError(f"data set {name}: no video is in {' or '.join(described.use)} ('use')")
    return rows[["path", "class", "frames", "bytes"]].assign(sha256="", reason=rows["reason"])


def _still_there(root: Path, rows: pd.DataFrame, name: str) -> pd.DataFrame:
    if not root.is_dir():
        raise UserError(
            f"data set {name}: folder {root} is missing; set profiles.….datasets.{name}.root in "
            "params.yaml"
        )
    frames, reasons = rows["frames"].to_numpy(copy=True), list(rows["reason"])
    changed = 0
    files = zip(rows["path"], rows["bytes"], strict=True)
    for i, (path, size) in enumerate(track(files, len(rows), f"looking for videos of {name}")):
        try:
            now = os.stat(root / path).st_size
            reason = f"changed since it was indexed: {now} bytes, {size} in the manifest"
        except OSError as error:
            now, reason = -1, f"missing: {error.strerror}"
        if now != size and frames[i]:
            frames[i], reasons[i] = 0, reason
            changed += 1
    if changed:
        print(f"{name}: {changed} videos are missing or changed; run 'bench data index' again")
    return rows.assign(frames=frames, reason=reasons)


def hashed(root: Path, rows: pd.DataFrame, frames: int) -> pd.DataFrame:
    """Add the known frame count, bytes and SHA-256 of files that the project itself wrote."""
    files = [root / path for path in rows["path"]]
    return rows.assign(
        frames=frames,
        bytes=[f.stat().st_size for f in files],
        sha256=[hashlib.sha256(f.read_bytes()).hexdigest() for f in files],
    )


def list_features(name: str, described: DataSet, base: Path) -> tuple[Path, pd.DataFrame]:
    """List a file of features, one row per video; frames is 0 where a feature is not finite."""
    file = (base / cast(Path, described.file)).resolve()
    features, labels, ids = read_features(file, described.keys)
    if not len(labels) or len(ids) != len(labels):
        raise UserError(f"{file}: no rows, or {len(ids)} ids for {len(labels)} labels")
    if np.issubdtype(labels.dtype, np.integer):
        classes = described.classes
        if classes is None:
            raise UserError(f"{file}: integer labels; name them with 'classes: […]' of {name}")
        if twice := [one for one in classes if classes.count(one) > 1]:
            raise UserError(
                f"{file}: '{twice[0]}' is listed twice in 'classes' of {name}; use each once"
            )
        for label in (labels.min(), labels.max()):
            if not 0 <= label < len(classes):
                raise UserError(f"{file}: label {label} has no name in 'classes' of {name}")
        labels = np.array([classes[i] for i in labels])
    names, counts = np.unique(ids.astype(str), return_counts=True)
    if len(names) < len(ids):
        raise UserError(f"{file}: the id '{names[counts > 1][0]}' occurs twice")
    finite = np.isfinite(features.astype(np.float32)).reshape(len(features), -1).all(1)
    rows = pd.DataFrame({"path": ids.astype(str), "class": labels.astype(str)})
    return file, rows.assign(frames=finite.astype(np.int64), row=np.arange(len(rows)))


def paths_of(classes: dict[str, list[Path]], root: Path) -> pd.DataFrame:
    """Return rows of path and class from class -> files."""
    pairs: Iterable[tuple[str, str]] = (
        (f.relative_to(root).as_posix(), c) for c, files in classes.items() for f in files
    )
    return pd.DataFrame(list(pairs), columns=["path", "class"])
