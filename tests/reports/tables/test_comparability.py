"""Which measured numbers stand against which published ones."""

from pathlib import Path
from typing import Any

import pytest
from made_up import cells, context, planned_cell, record
from project import overlap_json, split_json

from bench.experiments.record import Coverage

TESTS: dict[str, Any] = {"ucf101": ("full",)}
CLASSES, VIDEOS = 101, 13_320


def table(
    folder: Path, classes: int = CLASSES, videos: int = VIDEOS, **other: Any
) -> dict[str, str]:
    """Return AURL's line of an ablation that is as the published one but for ``other``."""
    seen = {"ucf101": Coverage(digest="d", expected=videos, scored=videos)}
    metrics = {"ucf101.full.top1": 40.4}
    parameters = {"input": {"test_clips": other.pop("own_clips", 1)}}
    one = record("aurl", metrics=metrics, coverage=seen, per_class={}, parameters=parameters)
    split = {"name": "0", "seen": [], "unseen": [f"c{i}" for i in range(classes)]}
    stored = {"digest": "d", "splits": [split]}
    (folder / "ucf101.full.json").write_text(split_json(stored))
    stored = {"digest": "d", "tau": other.pop("tau", 0.05)}
    (folder / "overlap.json").write_text(overlap_json(stored))
    settings = {"tests": TESTS, "is_embedded_world": False, "train": "kinetics700", "clips": 1}
    return cells(context(folder, [one], [planned_cell("aurl")], **(settings | other)))["aurl"]


def test_the_published_setting_has_a_difference(tmp_path: Path) -> None:
    assert table(tmp_path)["Δ ucf101"] == "-4.0"
    assert table(tmp_path, videos=VIDEOS - 20)["Δ ucf101"] == "-4.0"  # some can never be read


@pytest.mark.parametrize(
    "other",
    [{"own_clips": 25}, {"tau": 0.0}, {"train": "kinetics400"}, {"classes": 100}, {"videos": 99}],
    ids=str,
)
def test_another_setting_has_none(tmp_path: Path, other: dict[str, Any]) -> None:
    assert table(tmp_path, **other).get("Δ ucf101", "—") == "—"


def test_a_row_with_clips_of_its_own_is_compared_by_them(tmp_path: Path) -> None:
    assert table(tmp_path, own_clips=1, clips=25)["Δ ucf101"] == "-4.0"


def test_a_part_of_a_public_data_set_is_called_so(tmp_path: Path) -> None:
    assert table(tmp_path, 9, 22)["measured coverage"] == f"22/{VIDEOS}"
