"""One bit per video (classified right or not) as text: hexadecimal digits of packed bits.

The first video is the highest bit of the first byte; the last byte is filled up with zeros. So
``[True, False, False, True]`` is ``90``, and no videos give the empty text.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.bool_]


def pack(bits: Iterable[bool] | Bits) -> str:
    """Return bits [N] as 2·⌈N/8⌉ lowercase hexadecimal digits."""
    return np.packbits(np.fromiter(bits, np.bool_)).tobytes().hex()


def unpack(text: str, count: int) -> Bits:
    """Return the ``count`` bits [N] of what ``pack`` wrote.

    Raises ValueError for a text of another length, a bit beyond the last, or no hexadecimal digits.
    """
    packed = np.frombuffer(bytes.fromhex(text), np.uint8)
    if count < 0 or len(text) != 2 * -(-count // 8):
        raise ValueError(f"{len(text)} hexadecimal digits are not {count} bits")
    bits = np.unpackbits(packed).astype(np.bool_)
    if bits[count:].any():
        raise ValueError(f"bits beyond the {count} that there should be")
    return bits[:count]
