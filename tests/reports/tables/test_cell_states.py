"""The state of cells in tables: outdated, failed, never mixed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_up import cells, context, planned_cell, record, rows
from project import ROOT, split_json

from bench.experiments.method_registry import scan
from bench.experiments.plan import code_parts
from bench.experiments.record import Coverage, Record
from bench.reports.tables import build
from bench.reports.tables.row_gaps import compare


def test_states_of_cells(tmp_path: Path) -> None:
    records = [
        record("partial", 0),
        record("partial", 1),
        record("old", parts={"source": "z", "core": "b"}),
    ]
    records += [record("nan", status="failed", reason="loss is NaN at step 3"), record("gone")]
    records += [record("poor", status="missing", reason="no object scores"), record("extra", 7)]
    planned = [planned_cell("partial", seed=seed) for seed in range(3)] + [planned_cell("old")]
    planned += [
        planned_cell("nan"),
        planned_cell("poor"),
        planned_cell("new"),
        planned_cell("extra"),
    ]
    planned.append(planned_cell("bad", problem="methods/bad.py:3 invalid syntax"))
    given = context(tmp_path, records, planned)
    found = rows("ablation", given)
    states = {name: (row["status"], row["state"]) for name, row in found.items()}
    assert states["partial"] == ("partial", "2/3; 1 not run")
    assert states["old"] == ("outdated", "outdated (source)")
    assert states["nan"] == ("failed", "failed: loss is NaN at step 3")
    assert states["poor"] == ("missing", "missing: no object scores")
    assert states["new"] == ("not run", "not run")
    assert states["extra"] == ("not run", "not run")
    assert states["bad"] == ("broken", "broken: methods/bad.py:3 invalid syntax")
    assert states["gone"] == ("no file", "no file")
    assert states["aurl"] == ("quoted", "quoted")
    assert list(found)[-1] == "gone"
    table = cells(given)
    assert table["partial"]["measured n"] == "2/3"
    for name in ("old", "nan", "bad", "new", "extra"):
        assert table[name]["measured mini_ucf"] == "—"
        assert "mini_ucf.full.top1" not in found[name]["metrics"]


def test_a_row_on_features_of_another_machine_stays_and_is_marked(tmp_path: Path) -> None:
    parts = {"source": "a", "input features": "k"}
    records = [record("mine", parts={**parts, "computed features": "there"})]
    here = replace(planned_cell("mine"), parts={**parts, "computed features": "here"})
    given = context(tmp_path, records, [here])
    row = rows("ablation", given)["mine"]
    assert row["status"] == "ok"
    assert row["state"] == "ok; features computed on another machine"
    same = replace(here, parts=records[0].parts)
    assert same.fingerprint == here.fingerprint
    assert rows("ablation", context(tmp_path, records, [same]))["mine"]["state"] == "ok"


def test_long_reason_is_cut_in_the_column_and_full_below(tmp_path: Path) -> None:
    reason = "x" * 100
    failed = record("nan", status="failed", reason=reason)
    table = build("ablation", context(tmp_path, [failed], [planned_cell("nan")]))
    assert all(len(row[-1]) < 60 for row in table.texts)
    assert f"nan: failed: {reason}" in table.notes


@pytest.mark.parametrize("what", ["data", "split"])
def test_different_digests_are_never_averaged(what: str, tmp_path: Path) -> None:
    def one(seed: int, digest: str) -> Record:
        covered = Coverage(digest=digest if what == "data" else "d", expected=1, scored=1)
        split = {"mini_ucf.full": digest if what == "split" else "s"}
        return record("aurl", seed, coverage={"mini_ucf": covered}, split_digests=split)

    records = [one(0, "new"), one(1, "new"), one(2, "old")]
    planned = [planned_cell("aurl", seed=seed) for seed in range(3)]
    row = rows("ablation", context(tmp_path, records, planned))["aurl"]
    assert row["metrics"]["mini_ucf.full.top1"]["n"] == 2
    assert row["status"] == "partial"
    assert "outdated" in row["state"]
    if what == "split":  # the split file itself outvotes every record
        stored = {"definition": "", "digest": "old", "splits": []}
        (tmp_path / "mini_ucf.full.json").write_text(split_json(stored))
        row = rows("ablation", context(tmp_path, records, planned))["aurl"]
        assert row["metrics"]["mini_ucf.full.top1"]["n"] == 1


@pytest.mark.parametrize(
    ("parts", "state"),
    [
        ({"source": "a", "core": "b"}, "ok"),
        ({"source": "a", "core": "b", "data": "unknown here"}, "ok"),  # a clone without data
        ({"source": "a", "core": "z"}, "outdated (core)"),
        ({"source": "z", "core": "b"}, "outdated (source)"),
        ({"source": "a"}, "outdated (core)"),
        ({"source": "a", "core": "b", "tests": "fewer classes"}, "outdated (tests)"),
    ],
)
@pytest.mark.parametrize("status", ["ok", "failed"])
def test_what_changed_since_is_outdated(
    parts: dict[str, str], state: str, status: str, tmp_path: Path
) -> None:
    one = record("aurl", parts=parts, status=status)
    row = rows("ablation", context(tmp_path, [one], [planned_cell("aurl")]))["aurl"]
    assert row["state"] == ("failed" if (status, state) == ("failed", "ok") else state)
    assert ("mini_ucf.full.top1" in row["metrics"]) == (status == state == "ok")


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"parts": {"source": "z", "core": "b"}}, "source"),
        ({"parts": {"source": "a", "core": "b", "words": "y"}}, "words of transfer"),
        ({"parts": {"source": "a", "core": "b", "split": "y"}}, "training split transfer"),
        ({"data": {"kinetics": "y"}}, "data of kinetics"),
        ({"split_digests": {"mini_ucf.full": "y"}}, "split mini_ucf.full"),
    ],
)
def test_a_row_whose_file_is_gone_is_not_mixed_either(
    changed: dict[str, Any], named: str, tmp_path: Path
) -> None:
    same: dict[str, Any] = {"data": {"kinetics": "x"}, "split_digests": {"mini_ucf.full": "x"}}
    same |= {"parts": {"source": "a", "core": "b", "words": "x", "split": "x"}}
    new = [record("gone", seed, started="2", **same) for seed in (0, 1)]
    old = record("gone", 2, started="1", **(same | changed))
    row = rows("ablation", context(tmp_path, [*new, old], []))["gone"]
    assert row["metrics"]["mini_ucf.full.top1"]["n"] == 2
    assert f"outdated ({named})" in row["state"]


@pytest.mark.parametrize(
    ("changed", "state"),
    [
        ({}, "not planned"),
        ({"core": "older"}, "outdated (core)"),
        ({"source": "older"}, "outdated (source)"),
        ({"settings": "50 steps"}, "outdated (settings)"),
    ],
)
def test_a_reading_that_is_no_longer_planned_is_no_current_number(
    changed: dict[str, str], state: str, tmp_path: Path
) -> None:
    file, name = scan(ROOT)["aurl"], "aurl+w_init=normal"
    now = code_parts(file, ROOT) | {"settings": "s"}
    records = [record("aurl", seed, parts=now) for seed in (0, 1)]
    of: dict[str, Any] = {"reading": {"w_init": "normal"}, "parts": now | changed}
    records += [record(name, seed, **of) for seed in (0, 1)]
    planned = [planned_cell("aurl", seed, parts=now) for seed in (0, 1)]
    given = context(tmp_path, records, planned, files={"aurl": file})
    row = next(row for row in build("readings", given).data if row["row"] == name)
    assert (row["state"], row["gaps"]) == (state, [])
    assert ("mini_ucf.full.top1" in row["metrics"]) == (not changed)
    if not changed:
        assert compare(given, ("aurl", name), "mini_ucf.full")["not_current"] == {name: state}
