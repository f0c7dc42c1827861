"""Hostile inputs: values of every wrong kind, and valid files, JSON and arrays made wrong."""

import copy
import io
import json
import struct
import zipfile
from collections.abc import Mapping
from random import Random
from typing import Any

import numpy as np
from hypothesis import strategies as st

NAMES = [
    "", " ", "\0", "a\nb", "a\rb", "\t", "\x1b[31mred\x1b[0m", "\x9b31m", "\u202eevil", "\u2066x",
    "\ud800", "שלום", "مرحبا", "日本語", "e\u0301", "ﬁ", "İ", "ß", "\ufeff", "a" * 5000, "..", ".",
    "../../outside", "/etc/passwd", "C:\\x", "~", "a/b", "a\\b", "-x", "--help", "=1+1", "@SUM(1)",
    "+1", "-1+2", "=cmd|' /C calc'!A0", "<script>alert(1)</script>", "&amp;", "50 %", "a_b", "{x}",
    "$x$", "\\input{x}", "#", "^", "~", '"', "'", "|", "`", "%s", "{0}", "nan", "None", "null",
    "1e5", "1.2.3", "a.b.c.d", ".full.top1", "x.full.", "inf",
]  # fmt: skip
NUMBERS = [
    0, -1, 1, 2, 7, 2**31, 2**63, 2**64, -(2**63), 10**30, 10**400, 0.5, -0.0, 1e308, 5e-324,
    float("nan"), float("inf"), float("-inf"), True, False,
]  # fmt: skip


def value(random: Random, depth: int = 0) -> Any:
    """Return any value that JSON or YAML may hold."""
    kind = random.randrange(8 if depth < 3 else 6)
    if kind < 3:
        return random.choice(NAMES)
    if kind < 5:
        return random.choice(NUMBERS)
    if kind == 5:
        return None
    some = [value(random, depth + 1) for _ in range(random.randrange(4))]
    return some if kind == 6 else {random.choice(NAMES): one for one in some}


def changed_tree(tree: Any, random: Random) -> Any:
    """Return a copy of a JSON-like value with one to four places changed."""
    tree = copy.deepcopy(tree)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        places = list(_places(tree))
        if not places:
            return value(random)
        holder, key = random.choice(places)
        match random.randrange(7):
            case 0 | 1 | 2:
                holder[key] = value(random)
            case 3:
                del holder[key]
            case 4 if isinstance(holder, dict):
                holder[random.choice(NAMES)] = holder.pop(key)
            case 5 if isinstance(holder, list):
                holder.append(holder[key])
            case 5:
                holder[random.choice(NAMES)] = copy.deepcopy(holder[key])
            case _:
                old = holder[key]
                holder[key] = _near(old, random)
    return tree


def _near(old: Any, random: Random) -> Any:
    """Return a value of the same kind, or the same one wrapped or emptied."""
    if isinstance(old, str):
        at = random.randrange(len(old) + 1)
        return old[:at] + random.choice(NAMES) + old[at:]
    if isinstance(old, (int, float)):
        return random.choice(NUMBERS)
    return random.choice([[old], {"x": old}, type(old)() if old is not None else 0])


def _places(tree: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    todo = [tree]
    while todo:
        one = todo.pop()
        pairs = one.items() if isinstance(one, dict) else enumerate(one)
        for key, inner in pairs:
            found.append((one, key))
            if isinstance(inner, (dict, list)):
                todo.append(inner)
    return found


def changed_bytes(data: bytes, random: Random) -> bytes:
    """Return a file's bytes with one to eight places flipped, cut, doubled, moved or replaced."""
    out = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 4, 8))):
        at, size = random.randrange(len(out) + 1), random.choice((1, 1, 2, 4, 8, 64))
        match random.randrange(9):
            case 0:
                del out[at:]
            case 1:
                del out[at : at + size]
            case 2:
                out[at:at] = random.randbytes(size)
            case 3:
                out[at:at] = out[at : at + 16 * size]
            case 4:
                out[at : at + size] = random.choice((b"\0", b"\xff", b"\x7f", b"9")) * size
            case 5:
                out[at:at] = random.choice(NAMES)[:64].encode("utf-8", "surrogatepass")
            case 6:
                out[at : at + 8] = random.choice((2**63 - 1, 2**31, 2**62, 1)).to_bytes(8, "little")
            case _ if out:
                out[at % len(out)] ^= 1 << random.randrange(8)
    return bytes(out)


def changed_json(text: str, random: Random) -> bytes:
    """Return a JSON file with its values or its bytes changed; NaN and surrogates included."""
    if random.random() < 0.2:
        return changed_bytes(text.encode(), random)
    if random.random() < 0.02:
        return b"[" * 100_000
    tree = changed_tree(json.loads(text), random)
    if isinstance(tree, dict) and random.random() < 0.8:  # so that its values are looked at
        tree.pop("checksum", None)
    try:
        return json.dumps(tree, ensure_ascii=random.random() < 0.5).encode("utf-8", "surrogatepass")
    except ValueError:  # 10**400
        return b"{}"


def seeds() -> st.SearchStrategy[Random]:
    """Return a strategy of generators; a failure shows the seed."""
    return st.integers(0, 2**32).map(Seeded)


class Seeded(Random):
    """A generator that says its seed."""

    def __init__(self, seed: int) -> None:
        self.started = seed
        super().__init__(seed)

    def __repr__(self) -> str:
        return f"Seeded({self.started})"


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
