"""The marks † ‡ § on rows, and their legend."""

import json
from pathlib import Path
from typing import Any

from made_up import context, planned_cell, record

from bench.experiments.method_registry import MethodFile
from bench.reports.tables import build, render

SEEN = [{"name": "c1", "by": "name", "source": "C1", "distance": None}]
PART = {"tested": 20, "measured": 20, "nearest": None}


def source(unknown: str = "", seen: Any = ()) -> dict[str, Any]:
    tests = {} if unknown else {"mini_ucf": PART | {"seen": list(seen)}}
    return {"what": "weights", "classes": 3, "unknown": unknown, "tests": tests}


def drawn(folder: Path, fmt: str = "md", chosen: bool = False, **sources: Any) -> str:
    """Give the ablation of two rows, of which ``other`` takes features."""
    given = {"features": "weights"}
    records = [
        record("aurl", checkpoint="best_on_test" if chosen else "last"),
        record("other", parameters={"inputs": given}),
    ]
    planned = [planned_cell("aurl"), planned_cell("other", inputs=given)]
    files = {n: MethodFile(n, folder / f"{n}.py", n) for n in ("aurl", "other")}
    whole = context(folder, records, planned, files=files, audit={"sources": sources})
    return render(build("ablation", whole), fmt)


def test_a_row_that_has_seen_test_classes_is_marked(tmp_path: Path) -> None:
    text = drawn(tmp_path, features=source(seen=SEEN), training=source())
    assert "| other † " in text and "| aurl " in text and text.count("†") == 2
    assert (
        "- † 1 of 20 test classes of mini_ucf seen in pre-training (features: weights): "
        "c1 (the same name)." in text
    )


def test_what_concerns_every_row_is_said_once_and_marks_none(tmp_path: Path) -> None:
    text = drawn(tmp_path, training=source(seen=SEEN), features=source("nobody knows"))
    assert "- Every measured row: 1 of 20 test classes of mini_ucf seen in training" in text
    assert "†" not in text
    assert "| other ‡ " in text and "- ‡ cannot be excluded" in text


def test_a_checkpoint_that_was_chosen_on_test_data_is_marked(tmp_path: Path) -> None:
    text = drawn(tmp_path, chosen=True, training=source())
    assert "| aurl § " in text and "- § the checkpoint was chosen on test data." in text


def test_without_anything_to_flag_a_table_has_no_legend(tmp_path: Path) -> None:
    clean = drawn(tmp_path, training=source(), features=source())
    assert clean == drawn(tmp_path)
    assert not {"†", "‡", "§"} & set(clean)


def test_other_formats_carry_the_marks(tmp_path: Path) -> None:
    sources = {"features": source(seen=SEEN), "training": source("nobody knows")}
    latex = drawn(tmp_path, "latex", chosen=True, **sources)
    assert r"other $\dagger$" in latex and r"aurl \S{}" in latex
    flags = {row["row"]: row["flags"] for row in json.loads(drawn(tmp_path, "json", **sources))}
    assert len(flags["other"]) == 2 and len(flags["aurl"]) == 1


def test_records_that_nobody_audited_are_said(tmp_path: Path) -> None:
    whole = context(tmp_path, [record("aurl")], [planned_cell("aurl")], audit=None)
    assert "not audited" in render(build("ablation", whole), "md")
    empty = context(tmp_path, [], [planned_cell("aurl")], audit=None)
    assert "not audited" not in render(build("ablation", empty), "md")


def test_rows_of_different_machines_are_said(tmp_path: Path) -> None:
    def notes(*machines: dict[str, str]) -> str:
        names = ("aurl", "base_ls", "e2e")[: len(machines)]
        rows = zip(names, machines, strict=True)
        records = [record(name, environment=one) for name, one in rows]
        return render(
            build("ablation", context(tmp_path, records, [planned_cell(name) for name in names])),
            "md",
        )

    intel, amd = ({"device": "cpu", "cpu": name, "python": name} for name in ("Intel", "AMD"))
    assert "- Trained on different machines: cpu AMD or Intel. Between" in notes(intel, amd)
    assert "different machines" not in notes(intel, intel, {})
    gpus = ({"device": "H200", "cpu": name} for name in ("Intel", "AMD"))
    assert "different machines" not in notes(*gpus)  # what fed a GPU computes nothing
    assert "device H200 or cpu." in notes({"device": "H200"}, {"device": "cpu"})
