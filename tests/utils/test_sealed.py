"""JSON with its checksum: a damaged file is refused, or says the very same."""

from contextlib import suppress
from pathlib import Path

import pytest

from bench.errors import UserError
from bench.utils.io import CHECKSUM, dump_json, read_json, write_json

VALUE = {"method": "aurl", "seed": 0, "top1": 0.25, "files": {"log.csv": "ada22f14c19c16b8"}}


def test_no_flipped_bit_changes_what_a_file_says(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    write_json(path, VALUE)
    content = path.read_bytes()
    for place in range(8 * len(content)):
        spoiled = bytearray(content)
        spoiled[place // 8] ^= 1 << place % 8
        path.write_bytes(spoiled)
        with suppress(UserError):
            assert read_json(path) == VALUE, f"bit {place}: {spoiled[place // 8 - 20 :][:40]!r}"


@pytest.mark.parametrize("value", [VALUE, {}, {"name": "climb_wall"}], ids=len)
def test_a_file_that_people_write_needs_no_checksum(tmp_path: Path, value: object) -> None:
    path = tmp_path / "mine.json"
    path.write_text(dump_json(value))
    assert read_json(path) == value and CHECKSUM not in path.read_text()
