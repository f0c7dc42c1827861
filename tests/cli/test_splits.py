"""`bench splits`: what the stage has built is printed as it stands."""

import json
from pathlib import Path

import pytest
from conftest import Bench

DISTANCES = {"same": -0.0, "near": 0.049999, "edge": 0.05, "under": 0.05, "far": 0.4}
KEPT = ["edge", "far"]  # "under" is 0.0499999 away, which six digits do not show


@pytest.fixture
def overlap(project: Path) -> None:
    """Write what the stage writes at τ = 0.05."""
    classes = [
        {"class": name, "kept": name in KEPT, "nearest": "n", "dataset": "t", "distance": distance}
        for name, distance in DISTANCES.items()
    ]
    file = {"train": "k", "test": ["t"], "tau": 0.05, "digest": "d", "classes": classes}
    (project / "splits" / "mini").mkdir(parents=True)
    (project / "splits" / "mini" / "overlap.json").write_text(json.dumps(file))


@pytest.mark.parametrize(
    ("options", "tau", "kept"),
    [
        ((), 0.05, KEPT),
        (("--tau", "0.05"), 0.05, KEPT),
        (("--tau", "0"), 0, list(DISTANCES)),
        (("--tau", "0.4"), 0.4, ["far"]),
        (("--tau", "0.41"), 0.41, []),
    ],
)
def test_overlap(
    bench: Bench, overlap: None, options: tuple[str, ...], tau: float, kept: list[str]
) -> None:
    found = json.loads(bench("splits", "overlap", *options, "--format", "json").out)
    assert (found["train"], found["test"], found["tau"]) == ("k", ["t"], tau)
    assert found["kept"] == kept
    removed = {one["class"]: one["distance"] for one in found["removed"]}
    assert removed == {name: d for name, d in DISTANCES.items() if name not in kept}
    text = bench("splits", "overlap", *options).out
    assert text.startswith(f"tau = {tau:g}: {len(kept)} of 5 classes of k kept\n")


def test_show_reads_what_was_built(bench: Bench, project: Path) -> None:
    splits = [{"name": "full", "seen": ["x"], "unseen": ["y", "z"]}]
    file = {"dataset": "mini_ucf", "protocol": "full", "definition": "all", "digest": "d"}
    (project / "splits" / "mini").mkdir(parents=True)
    path = project / "splits" / "mini" / "mini_ucf.full.json"
    path.write_text(json.dumps(file | {"splits": splits}))
    code, out, err = bench("splits", "show", "mini_ucf", "full", "-f", "json")
    assert (code, json.loads(out), err) == (0, splits, "")
    assert "full: 1 seen, 2 unseen" in bench("splits", "show", "mini_ucf", "full").out
