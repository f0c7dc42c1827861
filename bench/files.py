"""Files that are written whole or not at all, hashes, and locks that die with their process."""

import fcntl
import hashlib
import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.errors import UserError

# What reading a truncated or foreign .npz, .gz or table raises.
DAMAGED = (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error)


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


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` whole or not at all; a file that holds it already is kept."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def dump_json(value: Any) -> str:
    """Return ``value`` as readable JSON with a final newline; NaN is refused (``ValueError``)."""
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def read_json(path: Path, *keys: str) -> Any:
    """Return a JSON file's value, or None where there is no such file.

    Raises UserError for a damaged file: no JSON, or not an object with all ``keys``.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        for key in keys:
            if not isinstance(value, dict) or key not in value:
                raise ValueError(f"without '{key}'")
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise UserError(f"{path}: damaged ({error}); delete it and rerun its stage") from None
    return value


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


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on ``path``; wait for it if another process has it.

    The kernel drops the lock when the process ends, however it ends, so no stale lock survives.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
