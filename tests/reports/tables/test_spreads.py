"""Seeds and splits apart, and stars that are corrected for the rows of their column."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from made_up import context, full, planned_cell, record, write_splits
from project import split_json

from bench.experiments.record import Record
from bench.reports.tables import FORMATS, TableContext, build, render
from bench.reports.tables.row_gaps import corrected


def halves(row: str, seed: int, level: float) -> Record:
    """Make a record that was tested on three halves, 8 points apart."""
    per_split = {"mini_ucf.half10.top1": {str(i): level + seed + 8 * i for i in range(3)}}
    metrics = {"mini_ucf.half10.top1": level + seed + 8, "mini_ucf.full.top1": level}
    return record(row, seed, per_split=per_split, metrics=metrics)


@pytest.fixture
def given(tmp_path: Path) -> TableContext:
    write_splits(tmp_path)
    splits = [{"name": str(i), "seen": [], "unseen": [*"abcdef"][i : i + 3]} for i in range(3)]
    stored = {"definition": "", "digest": "0123456789abcdef", "splits": splits}
    (tmp_path / "mini_ucf.half10.json").write_text(split_json(stored))
    records = [halves(row, seed, level) for row, level in (("mine", 40), ("other", 42))
               for seed in range(3)]  # fmt: skip
    planned = [planned_cell(one.row, one.seed) for one in records]
    return context(tmp_path, records, planned)


def lines(which: str, given: TableContext) -> dict[tuple[str, str], dict[str, str]]:
    read = csv.DictReader(io.StringIO(render(build(which, given), "csv")))
    return {(row["method"], row["protocol"]): row for row in read}


def test_each_number_says_what_it_is_over(given: TableContext) -> None:
    row = lines("sota", given)["mine", "half10"]
    assert row["measured mini_ucf"].startswith("49.0 ± 1.0")  # over seeds
    assert row["measured n"] == "3, 0/3"  # mini_hmdb lacks
    assert row["measured also ±"] == "splits 8.0"
    assert lines("sota", given)["mine", "full"]["measured also ±"] == "—"
    assert lines("protocols", given)["mine", "half10"]["measured also ±"] == "splits 8.0"
    (found,) = (
        one["metrics"]["mini_ucf.half10.top1"]
        for one in json.loads(render(build("sota", given), "json"))
        if (one["row"], one["protocol"]) == ("mine", "half10")
    )
    assert (found["over"], found["std"]) == ("seeds", pytest.approx(1))
    assert found["within"] == {"over": "splits", "std": pytest.approx(8), "n": 3}


@pytest.mark.parametrize("fmt", FORMATS)
def test_both_spreads_stand_in_every_format(fmt: str, given: TableContext) -> None:
    text = render(build("sota", given), fmt)
    assert ('"over": "splits"' if fmt == "json" else "splits 8.0") in text
    assert fmt in ("csv", "json") or "the second deviation of a row that has two" in text


def test_no_column_where_no_row_has_two(tmp_path: Path) -> None:
    records, planned = full()
    for which in ("ablation", "sota"):
        assert "also ±" not in render(build(which, context(tmp_path, records, planned)), "md")


def test_seeds_within_a_draw(tmp_path: Path) -> None:
    def one(draw: int, seed: int) -> Record:
        metrics = {"ucf15.fifty-fifty.top1": 40.0 + 10 * draw + 2 * seed}
        return record(
            "mine", seed, split=f"ucf15.fifty-fifty.{draw}", metrics=metrics, per_class={}
        )

    records = [one(draw, seed) for draw in range(3) for seed in range(2)]
    planned = [planned_cell("mine", made.seed, split=made.split) for made in records]
    tests = {"ucf15": ("fifty-fifty",)}
    given = context(tmp_path, records, planned, tests=tests, train="")
    table = build("ablation", given)
    row = dict(zip((name for _, name in table.columns), table.texts[-1], strict=True))
    assert (row["ucf15"], row["n"], row["also ±"]) == ("51.0 ± 10.0", "3", "seeds 1.4")


def test_a_split_protocol_has_an_interval_and_says_how(given: TableContext) -> None:
    table = build("sota", given)
    gaps = {
        one["protocol"]: one["gaps"][0]
        for one in json.loads(render(table, "json"))
        if one["row"] == "mine" and one["protocol"] in ("full", "half10")
    }
    # s² = 0 between the rows' splits; seeds 1²/3 each: what is left is Welch's interval
    assert gaps["half10"]["difference"] == -2
    assert gaps["half10"]["variances"] == pytest.approx(
        {"classes": 0, "seeds of a": 1 / 3, "seeds of b": 1 / 3}
    )
    assert any("paired over class splits" in note for note in table.notes)


def test_without_split_files_the_note_names_them(given: TableContext) -> None:
    (given.splits / "mini_ucf.half10.json").unlink()
    notes = build("sota", given).notes
    assert any("mini_ucf.half10: the split files are missing" in note for note in notes)


def test_many_rows_make_it_harder_to_call_a_difference() -> None:
    def gaps(*p: float | None) -> list[dict[str, Any]]:
        return [{"p": one} for one in p]

    alone, among = gaps(0.03), gaps(0.03, 0.9, 0.001, None)
    for family in (alone, among):
        corrected(family)
    assert [one["larger_than_noise"] for one in alone] == [True]
    assert [one["larger_than_noise"] for one in among] == [False, False, True, None]
    assert [one["p_holm"] for one in among] == pytest.approx([0.06, 0.9, 0.003, None])


@pytest.mark.parametrize("fmt", FORMATS)
def test_every_format_marks_the_same_ties(fmt: str, tmp_path: Path) -> None:
    records, planned = full()
    table = build("ablation", context(tmp_path, records, planned))
    text = render(table, fmt)
    at = [name for _, name in table.columns].index("mini_ucf")
    starred = {row[0] for row in table.texts if row[at].endswith("*")}
    assert starred == {"base_ls_e2e", "aurl"}
    if fmt == "json":
        tied = {one["row"] for one in json.loads(text) if "mini_ucf.full.top1" in one["tied"]}
        assert tied == starred
    elif fmt != "csv":
        assert "correction over the rows of the column" in " ".join(text.split())
        assert text.count(" *") >= len(starred)
