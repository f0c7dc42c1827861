"""`bench record`: one cell in readable form."""

import json
from pathlib import Path

import pytest
from project import Bench

from bench.experiments.record import Record, schema, write_record


@pytest.fixture
def recorded(project: Path) -> Path:
    """Write a current-looking record, of version 2."""
    values = {"row": "aurl", "method": "aurl", "label": "AURL [b]ours[/b]", "split": "transfer"}
    bits = {"videos": {"mini_ucf.full": {"full": 8}}, "right": {"mini_ucf.full": {"full": "f0"}}}
    record = Record(
        profile="mini", seed=0, status="ok", metrics={"mini_ucf.full.top1": 50.0},
        parts={"source": "older"}, git_commit="c0ffee", git_dirty=True, **values, **bits,
    )  # fmt: skip
    write_record(project / "results" / "records" / "mini", record)
    return project


def test_it_shows_state_code_and_metrics(bench: Bench, recorded: Path) -> None:
    code, out, err = bench("record", "show", "aurl.transfer.seed0")
    assert (code, err) == (0, "")
    text = " ".join(out.split())
    assert "AURL [b]ours[/b]" in text
    assert "c0ffee, with uncommitted changes" in text
    assert "now outdated" in text and "source" in text
    assert "mini_ucf.full 50.00 1 8" in text


def test_on_a_terminal_nothing_of_the_layout_shows(
    bench: Bench, recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\\u001b" not in bench("record", "show", "aurl.transfer.seed0").out


def test_a_method_without_a_record_is_no_unknown_one(bench: Bench, recorded: Path) -> None:
    code, out, err = bench("verify", "ale")
    assert (code, out) == (2, "")
    assert "'ale' has no record in profile mini; run 'dvc repro'" in err


def test_json_is_the_record(bench: Bench, recorded: Path) -> None:
    found = json.loads(bench("record", "show", "aurl.transfer.seed0", "--json").out)
    assert found["right"] == {"mini_ucf.full": {"full": "f0"}}


@pytest.mark.parametrize(
    ("cell", "hint"),
    [
        ("arl.transfer.seed0", "did you mean 'aurl.transfer.seed0'?"),
        ("aurl", "'aurl' is a row, not a cell; its cells: aurl.transfer.seed0"),
        ("soft.transfer.seed0", "cells have names like"),
        ("zzzz", "cells have names like 'aurl.transfer.seed0'"),
    ],
)
def test_an_unknown_cell(bench: Bench, recorded: Path, cell: str, hint: str) -> None:
    code, out, err = bench("record", "show", cell)
    assert (code, out) == (2, "")
    assert hint in err and err.count("\n") == 1


@pytest.mark.parametrize("words", ["record show", "verify --cell"])
def test_a_cell_of_another_profile_is_not_reached(bench: Bench, recorded: Path, words: str) -> None:
    (recorded / "results" / "records" / "ucf15").mkdir()
    code, out, err = bench(*words.split(), "../mini/aurl.transfer.seed0")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "profile mini '../mini/aurl.transfer.seed0'" in err


def test_a_profile_without_records(bench: Bench, project: Path) -> None:
    assert "profile mini has no records; run 'dvc repro'" in bench("record", "show", "aurl").err


def test_the_schema_is_printed(bench: Bench) -> None:
    assert bench("record", "schema").out == schema()
