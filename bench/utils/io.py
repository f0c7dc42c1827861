"""Atomic file writes, checksums, hashes, and locks that end with their process."""

import fcntl
import hashlib
import json
import lzma
import math
import os
import re
import shutil
import struct
import sys
import tempfile
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from bench.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

# What reading a truncated, foreign or hostile .npz, .gz, .json or table raises; RuntimeError is a
# zip with a password or a nesting too deep, MemoryError a header that promises terabytes.
DAMAGED = (
    LookupError, ValueError, TypeError, AttributeError, OSError, EOFError, ArithmeticError,
    MemoryError, RuntimeError, SyntaxError, zipfile.BadZipFile, zlib.error, lzma.LZMAError,
    struct.error, tokenize.TokenError,
)  # fmt: skip
CHECKSUM = "checksum"  # the key under which an object carries the digest of its other keys


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it replaces ``path``, else it is removed.

    The content is flushed to disk before the rename, so that a kill or a full disk at any moment
    leaves the old file or the new one, never a part of one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    os.close(handle)
    part = Path(name)
    try:
        yield part
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.chmod(0o644)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def replace_folder(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill an empty folder beside ``path``, then put it in the place of ``path``.

    A kill leaves the complete folder or none. The temporary folder is a sibling because a folder
    on another disk cannot be moved in one step.
    """
    part = path.with_name(f".{path.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        write(part)
        shutil.rmtree(path, ignore_errors=True)
        part.replace(path)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` completely or not at all; an identical file is left untouched."""
    if path.is_file() and path.read_bytes() == text.encode():
        return
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def dump_json(value: Any) -> str:
    """Return ``value`` as readable JSON with a final newline; NaN is refused (``ValueError``)."""
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def rounded(value: Any, digits: int = 10) -> Any:
    """Return a JSON-like value with each float rounded to so many significant digits.

    The digits beyond depend on the CPU: BLAS sums in another order on each type.
    """
    if isinstance(value, float) and math.isfinite(value):
        return float(f"{value:.{digits}g}")
    if isinstance(value, dict):
        return {key: rounded(one, digits) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(one, digits) for one in value]
    return value


def dump_sealed(value: Mapping[Any, Any]) -> str:
    """Return an object as JSON whose last key is the checksum of the others."""
    plain = json.loads(dump_json(value))
    return dump_json({**plain, CHECKSUM: digest(plain)})


def write_json(path: Path, value: Mapping[Any, Any]) -> None:
    """Write an object as JSON with its checksum, completely or not at all (NaN: ``ValueError``)."""
    write_text(path, dump_sealed(value))


def unsealed(value: Any) -> Any:
    """Return a parsed JSON value without its checksum; ValueError if the checksum is wrong.

    A value without a checksum passes: files that people write have none. If the last key holds the
    right checksum under another name, the name itself is damaged.
    """
    if not isinstance(value, dict):
        return value
    if CHECKSUM not in value:
        *others, (_, last) = value.items() or [("", None)]
        if isinstance(last, str) and len(last) == 16 and last == digest(dict(others)):
            raise ValueError("the name of its checksum is damaged")
        return value
    plain = {k: v for k, v in value.items() if k != CHECKSUM}
    if digest(plain) != value[CHECKSUM]:
        raise ValueError("its checksum is wrong: damaged, or edited by hand")
    return plain


def read_json(path: Path) -> Any:
    """Return a JSON file's value; None if there is no such file, UserError if it is damaged."""
    try:
        return unsealed(parsed_json(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise UserError(f"{path}: damaged ({error}); delete it and rerun its stage") from None


def write_sealed(path: Path, content: "bytes | memoryview") -> None:
    """Write bytes after their SHA-256, completely or not at all."""
    with replacing(path) as part, part.open("wb") as handle:
        handle.write(hashlib.sha256(content).digest())
        handle.write(content)


def read_sealed(path: Path) -> bytes | None:
    """Return what ``write_sealed`` wrote; None if the file is missing or damaged."""
    if not path.is_file():
        return None
    found = path.read_bytes()
    return found[32:] if hashlib.sha256(found[32:]).digest() == found[:32] else None


_ODD = re.compile(r"NaN|Infinity|\\u[dD][89a-fA-F]|[eE]\+?\d{3}|\d{300}")


def parsed_json(text: str) -> Any:
    """Return the value of a JSON text that can be written again.

    Raises ValueError also for what Python's parser accepts beyond JSON (NaN, infinity, numbers or
    nesting too large) and for lone surrogates, which cannot be written to a file.
    """
    try:
        value = json.loads(text)
        if _ODD.search(text):
            json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return value


def read_arrays(
    path: Path | BytesIO, *names: str, optional: Collection[str] = ()
) -> "dict[str, Array]":
    """Return arrays of an .npz by name, without unpickling anything.

    Raises one of ``DAMAGED`` for anything but an .npz with all ``names``.
    """
    import numpy as np

    # Opened here, so that it is closed whatever np.load makes of it.
    with path if isinstance(path, BytesIO) else path.open("rb") as handle:
        stored = np.load(handle, allow_pickle=False)
        if not isinstance(stored, np.lib.npyio.NpzFile):
            raise ValueError("it is one array, not an .npz")
        found = {n: stored[n] for n in (*names, *(o for o in optional if o in stored))}
    for name, array in found.items():
        if not isinstance(array, np.ndarray):
            raise ValueError(f"'{name}' is no array")
        if array.dtype.kind == "U" and array.size:
            native = array.astype(array.dtype.newbyteorder("="), order="C")
            codes = native.reshape(-1).view(np.uint32)
            if codes.max() > 0x10FFFF or ((codes >= 0xD800) & (codes < 0xE000)).any():
                raise ValueError(f"'{name}' holds text that is none")
    return found


def digest(value: Any) -> str:
    """Return the first 16 hex digits of the SHA-256 of bytes, text or a JSON-like value."""
    if isinstance(value, str):
        value = value.encode()
    elif not isinstance(value, bytes):
        value = json.dumps(value, sort_keys=True, ensure_ascii=False).encode()
    return hashlib.sha256(value).hexdigest()[:16]


def file_digest(path: Path) -> str:
    """Return the first 16 hex digits of the SHA-256 of a file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()[:16]


def known_digest(path: Path) -> str:
    """Return ``file_digest``, cached until size or mtime change; "" if there is no such file."""
    if not path.is_file():
        return ""
    found = path.stat()
    return _digest_of(path, found.st_size, found.st_mtime_ns)


@cache
def _digest_of(path: Path, size: int, mtime_ns: int) -> str:
    return file_digest(path)


def sweep(folder: Path, name: str = "") -> None:
    """Remove what a killed ``replacing`` or ``replace_folder`` left behind; nobody else may write.

    With ``name``, only temporary copies of that file.
    """
    for part in list(folder.rglob(f".{name}.*part" if name else ".*.part")):
        if part.is_dir() and not part.is_symlink():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)


def read_table(path: Path | BytesIO) -> "pd.DataFrame":
    """Return the rows of a .parquet; raises one of ``DAMAGED`` for any other or damaged file."""
    import pandas as pd
    import pyarrow as pa

    try:
        table = pd.read_parquet(path)
        for _, column in table.items():  # pandas looks at the bytes of a text when it is used
            if isinstance(column.dtype, pd.StringDtype):
                column.to_numpy()
        table.columns = pd.Index([str(name) for name in table.columns], dtype=object)
    except pa.ArrowException as error:
        raise ValueError(" ".join(str(error).split())) from None
    return table


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on ``path``; print who holds it and wait if it is taken.

    The kernel releases the lock when the process ends in any way, so there are no stale locks.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = lock_holder(path)
            who = f"process {holder}" if holder else "another process"
            print(f"waiting for {who}, which holds {path}", file=sys.stderr, flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def lock_holder(path: Path) -> str:
    """Return the id of the process that holds ``locked(path)``, or "", without taking the lock."""
    table = Path("/proc/locks")  # Linux only
    if not (path.is_file() and table.is_file()):
        return ""
    inode = path.stat().st_ino
    for line in table.read_text().splitlines():
        words = line.split()
        if len(words) > 5 and words[1] == "FLOCK" and words[5].endswith(f":{inode}"):
            return words[4]
    return ""
