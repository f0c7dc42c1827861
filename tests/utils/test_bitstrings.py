"""Bits as hexadecimal digits."""

import numpy as np
import pytest

from bench.utils.bitstrings import pack, unpack


@pytest.mark.parametrize(
    ("bits", "text"),
    [("", ""), ("1", "80"), ("1001", "90"), ("00000001", "01"), ("111111111", "ff80")],
)
def test_first_video_is_the_highest_bit(bits: str, text: str) -> None:
    values = [bit == "1" for bit in bits]
    assert pack(values) == text
    assert unpack(text, len(bits)).tolist() == values


def test_any_number_comes_back() -> None:
    rng = np.random.default_rng(0)
    for count in range(70):
        bits = rng.random(count) < 0.5
        assert np.array_equal(unpack(pack(bits), count), bits)


@pytest.mark.parametrize(
    ("text", "count"), [("90", 9), ("90", 3), ("9", 4), ("zz", 8), ("", -1), ("9 0", 8), ("", 1)]
)
def test_what_are_not_so_many_bits(text: str, count: int) -> None:
    with pytest.raises(ValueError, match=r"bits|hexadecimal"):
        unpack(text, count)
