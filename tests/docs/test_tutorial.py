"""docs/tutorial.md, followed on a tiny profile (conftest.py): what its commands then say."""

import re

from follow import Followed


def test_the_file_passes_its_check(followed: Followed) -> None:
    assert followed.printed["bench check soft"] == "soft: ok\n"


def test_the_row_stands_in_the_table_with_its_seeds(followed: Followed) -> None:
    (row,) = (
        r for r in followed.printed["bench table"].splitlines() if r.startswith("| Soft targets ")
    )
    assert [cell.strip() for cell in row.split("|")][-4:-1] == ["2", "36/36", "ok"]


def test_the_comparison_says_what_the_gap_is_worth(followed: Followed) -> None:
    out = followed.printed["bench compare soft base_ls"]
    assert re.search(r"^soft − base_ls, tested\.full\.top1: ", out, re.MULTILINE)
    assert "seeds for 1 point" in out


def test_the_reading_stands_beside_its_default(followed: Followed) -> None:
    rows = followed.printed["bench table --which readings"].splitlines()
    readings = [r.split("|")[2].strip() for r in rows if r.startswith("| Soft targets ")]
    assert readings == ["default", "warmth = 0.03"]


def test_its_cell_repeats_to_the_last_bit(followed: Followed) -> None:
    assert "  IDENTICAL: " in followed.printed["bench verify soft"]
