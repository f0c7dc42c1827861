"""The inputs that methods ask for, as files: ``data/<profile>/inputs/<input>/``.

``<data set>.npy``: of videos, [N,n,...] in the order of the index; ``<data set>.classes.npy``: of
classes, [K,...] in the order of the index's classes; ``<data set>.json``: their key, digest and the
videos that failed; ``objects.npz``: names, vectors [O,W] and, where they have texts, texts [O,E].
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import UserError
from bench.files import (
    DAMAGED,
    digest,
    dump_json,
    file_digest,
    read_arrays,
    read_json,
    replacing,
    write_text,
)

Array = NDArray[Any]
AGAIN = "run 'bench stage inputs'"


def write_videos(
    folder: Path,
    dataset: str,
    key: str,
    parts: Iterable[Array],
    count: int,
    failures: Mapping[int, str],
) -> None:
    """Write what ``parts`` yields, rows [k,n,...] in the index's order, ``count`` rows in all.

    Memory holds one part. ``failures`` is read at the end, so that the iterable may fill it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / f"{dataset}.npy") as part:
        whole: np.memmap[Any, Any] | None = None
        done = 0
        for rows in parts:
            if whole is None:
                shape = (count, *rows.shape[1:])
                whole = np.lib.format.open_memmap(part, "w+", rows.dtype, shape)
            whole[done : done + len(rows)] = rows
            done += len(rows)
        if whole is None or done != count:
            raise UserError(f"{folder}: {done} of {count} videos of {dataset} were computed")
        whole.flush()
    facts = {
        "key": key,
        "digest": file_digest(folder / f"{dataset}.npy"),
        "failures": {str(row): why for row, why in failures.items()},
    }
    write_text(folder / f"{dataset}.json", dump_json(facts))


def write_classes(folder: Path, dataset: str, array: Array) -> str:
    """Write an array [K,...] of a data set's classes; return its digest."""
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / f"{dataset}.classes.npy") as part, part.open("wb") as handle:
        np.save(handle, array)
    return digest(array.tobytes())


def write_objects(
    folder: Path, names: Sequence[str], vectors: Array, texts: Array | None = None
) -> str:
    """Write the objects that scores or boxes count in; return their digest."""
    folder.mkdir(parents=True, exist_ok=True)
    own: dict[str, Any] = {"names": np.array(names), "vectors": vectors}
    own |= {} if texts is None else {"texts": texts}
    with replacing(folder / "objects.npz") as part, part.open("wb") as handle:
        np.savez(handle, **own)
    return digest(
        [list(names), *(digest(a.tobytes()) for a in own.values() if a.dtype.kind == "f")]
    )


def is_current(folder: Path, dataset: str, key: str) -> str:
    """Return the digest of a data set's videos if they were computed with this key, else ""."""
    facts = read_json(folder / f"{dataset}.json", "key", "digest")
    there = facts and facts["key"] == key and (folder / f"{dataset}.npy").is_file()
    return str(facts["digest"]) if there else ""


def read_videos(folder: Path, dataset: str, count: int) -> tuple[Array, dict[int, str]]:
    """Return the array [N,n,...] of a data set's videos, mapped from its file, and the failures."""
    facts = read_json(folder / f"{dataset}.json", failures={str: str})
    array = _load(folder / f"{dataset}.npy", "r")
    if facts is None or array.ndim < 2 or len(array) != count:
        raise UserError(f"{folder}: not of the {count} videos of {dataset}; {AGAIN}")
    try:
        return array, {int(row): why for row, why in facts["failures"].items()}
    except ValueError as error:
        raise UserError(f"{folder}/{dataset}.json: damaged ({error}); {AGAIN}") from None


def read_classes(folder: Path, dataset: str, count: int) -> Array:
    """Return the array [K,...] of a data set's classes."""
    array = _load(folder / f"{dataset}.classes.npy")
    if not array.ndim or len(array) != count:
        raise UserError(f"{folder}: not of the {count} classes of {dataset}; {AGAIN}")
    return array


def read_objects(folder: Path) -> tuple[list[str], Array, Array | None]:
    """Return names, vectors [O,W] and texts [O,E] or None of the objects."""
    path = folder / "objects.npz"
    try:
        arrays = read_arrays(path, "names", "vectors", optional=["texts"])
        names, vectors = list(map(str, arrays["names"])), arrays["vectors"]
        texts = arrays.get("texts")
        for array in (vectors, texts):
            if array is not None and (array.ndim != 2 or len(array) != len(names)):
                raise ValueError(f"{len(names)} names do not fit {list(array.shape)}")
        return names, vectors, texts
    except FileNotFoundError:
        raise UserError(f"{path} is missing; {AGAIN}") from None
    except DAMAGED as error:
        raise UserError(f"{path}: damaged ({error}); {AGAIN}") from None


def _load(path: Path, mode: Any = None) -> Array:
    try:
        array: Array = np.load(path, mmap_mode=mode, allow_pickle=False)
        if not isinstance(array, np.ndarray):
            raise ValueError("it is an archive, not one array")
        return array
    except FileNotFoundError:
        raise UserError(f"{path} is missing; {AGAIN}") from None
    except DAMAGED as error:
        raise UserError(f"{path}: damaged ({error}); {AGAIN}") from None
