"""Inputs that nobody meant: values of every wrong kind, and valid files made wrong."""

import copy
import json
from random import Random
from typing import Any

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
    """Return a JSON file with its values or its bytes changed; NaN and surrogates may stand in."""
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
