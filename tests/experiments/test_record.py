"""The schema of records: its versions, its documentation, what is refused."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from project import ROOT

from bench.errors import UserError
from bench.experiments.record import (
    VERSION,
    Coverage,
    Record,
    read_record,
    read_records,
    schema,
    write_record,
)

FACTS: dict[str, Any] = {
    "profile": "mini", "row": "aurl", "method": "aurl", "label": "AURL", "split": "transfer",
    "seed": 0, "status": "ok",
}  # fmt: skip


def put(folder: Path, raw: Any) -> Path:
    path = folder / "aurl.transfer.seed0.json"
    path.write_text(json.dumps(raw))
    return path


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    covered = {"ucf": Coverage(digest="d", expected=9, scored=9)}
    counts = {"ucf.full": {"run [\n 1,\n 2\n ]": (20, 17)}}
    bits = {"videos": {"ucf.full": {"full": 9}}, "right": {"ucf.full": {"full": "ff80"}}}
    record = Record(**FACTS, coverage=covered, per_class=counts, **bits)
    write_record(tmp_path, record)
    path = tmp_path / f"{record.cell}.json"
    assert read_record(path) == record
    assert ": [20, 17]" in path.read_text()


@pytest.mark.parametrize(
    ("folder", "name"),
    [("mini", "aurl.transfer.seed0_old"), ("mini", "aurl.transfer.seed1"), ("ucf15", "")],
)
def test_a_copy_under_another_name_is_no_record_of_its_own(
    tmp_path: Path, folder: str, name: str
) -> None:
    record = Record(**FACTS)
    write_record(tmp_path / "mini", record)
    assert read_records(tmp_path / "mini") == [record]
    path = tmp_path / folder / f"{name or record.cell}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes((tmp_path / "mini" / f"{record.cell}.json").read_bytes())
    with pytest.raises(UserError, match=r"record mini/aurl\.transfer\.seed0; delete it"):
        read_records(tmp_path / folder)


@pytest.mark.parametrize("version", [VERSION - 1, VERSION + 1])
def test_another_version_is_one_line(tmp_path: Path, version: int) -> None:
    with pytest.raises(UserError, match=f"schema version {version}; .* reads version {VERSION}"):
        read_record(put(tmp_path, {**FACTS, "version": version}))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"version": None}, "schema version None"),
        ({"version": "2"}, "schema version '2'"),
        ({"version": True}, "schema version True"),
        ({"seed": "many"}, "seed: "),
        ({"topp1": 3}, "topp1: "),
        ({"wall_s": float("nan")}, "Out of range float"),
        ({"metrics": {"a.b.top1": float("inf")}}, r"Out of range float"),
        ({"metrics": {"top1": 50.0}}, "metrics: 'top1' is no <data set>.<protocol>.<metric>"),
        ({"right": {"a.full": {"full": "80"}}}, "right.a.full: not of the splits of videos.a.full"),
        (
            {"right": {"a.full": {"full": "80"}}, "videos": {"a.full": {"full": 9}}},
            "right.a.full.full: 2 hexadecimal digits are not 9 bits",
        ),
        ({"coverage": 3}, "not a valid record"),
        ({"coverage": {"ucf": {}}}, "digest"),
    ],
)
def test_what_is_no_record(tmp_path: Path, change: dict[str, Any], named: str) -> None:
    path = put(tmp_path, {**FACTS, "version": VERSION, **change})
    with pytest.raises(UserError, match=named) as raised:
        read_record(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_committed_schema_is_that_of_the_program() -> None:
    path = ROOT / "docs" / "record.schema.json"
    assert path.read_text(encoding="utf-8") == schema(), f"run 'bench record schema > {path}'"


def test_the_page_names_every_field_and_its_examples_hold() -> None:
    page = (ROOT / "docs" / "record.md").read_text(encoding="utf-8")
    table = page.partition("## Which")[0]
    named = set(re.findall(r"`(\w+)`", table)) - {"ok", "failed", "last", "best_on_test", "seen"}
    assert named == set(Record.model_fields) - {"version"}
    assert all(field.description for field in Record.model_fields.values())
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(code, {})
    assert f"`version` is {VERSION}." in page
