"""Archives of arrays made wrong: other types and shapes, lying headers, changed bytes."""

import io
import struct
import zipfile
from collections.abc import Mapping
from random import Random
from typing import Any

import numpy as np
from hostile import NAMES, changed_bytes

Arrays = Mapping[str, np.ndarray[Any, Any]]
_TYPES = ["<f4", "<f8", ">f8", "<i8", "u1", "?", "<c8", "<f2", "U3", "S3", "M8[s]", "V5", "<u8"]


def npz(arrays: Arrays, random: Random) -> bytes:
    """Return an .npz of these arrays, changed: most are no longer what they should be."""
    members = {
        name: npy(_odd(a, random) if random.random() < 0.4 else a) for name, a in arrays.items()
    }
    if random.random() < 0.15:
        members.pop(random.choice(list(members)))
    if random.random() < 0.2:
        name = random.choice(list(members))
        members[name] = random.choice(
            [_lying(random), _pickled(), changed_bytes(members[name], random)]
        )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", random.choice((0, 8))) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy" if random.random() < 0.95 else name, data)
    data = out.getvalue()
    return changed_bytes(data, random) if random.random() < 0.4 else data


def npy(array: np.ndarray[Any, Any]) -> bytes:
    """Return an .npy; an object array becomes a pickle in it."""
    out = io.BytesIO()
    np.save(out, array, allow_pickle=True)
    return out.getvalue()


def _odd(array: np.ndarray[Any, Any], random: Random) -> np.ndarray[Any, Any]:
    with np.errstate(all="ignore"):
        match random.randrange(9):
            case 0:
                return np.zeros((0, *array.shape[1:]), array.dtype)
            case 1:
                return array.ravel()[: random.randrange(array.size + 1)]
            case 2:
                return array[None]
            case 3:
                return np.array(random.choice([1.0, 3, "x", b"x", True]))
            case 4:
                return np.zeros(array.shape, random.choice(_TYPES))
            case 5 if array.dtype.kind == "f":
                return array * random.choice([np.nan, np.inf, 0.0, 1e38, -1.0])
            case 5 | 6 if array.dtype.kind == "U":
                names = [random.choice([*NAMES, *map(str, array.ravel())]) for _ in array.ravel()]
                return np.array([name[:50].replace("\0", "") for name in names]).reshape(
                    array.shape
                )
            case 7:
                return np.array([*array.ravel().tolist(), None], object)
            case _:
                return np.concatenate([array, array]) if array.ndim else array


_SHAPES = ["(10**9,)", "(1000000000000,)", "(-1,)", "(2**70,)", "(3,", "()", "(4000000000,)"]
_SHAPES += ["(1,)*40", "(99999999999999999999,)", "('a',)", "(True,)"]
_DESCR = ["'<f8'", "'|O'", "'<U1000000000'", "'V9999999999'", "[('a','<f8')]", "1", "'f8,'"]
_VERSIONS = [b"\x01\x00", b"\x02\x00", b"\x03\x00", b"\x09\x00"]


def _lying(random: Random) -> bytes:
    """Return an .npy whose header promises more than is there, or is no header."""
    shape, descr = random.choice(_SHAPES), random.choice(_DESCR)
    head = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    size = struct.pack("<H", len(head))
    return b"\x93NUMPY" + random.choice(_VERSIONS) + size + head.encode() + bytes(16)


def _pickled() -> bytes:
    return npy(np.array([{"a": 1}, None, print], object))
