"""docs/real-run.md, executed: real clips in their real layouts through every stage.

In CI with a small network and small clips, else (``-m slow``) to the letter.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from project import ROOT, copy_project, run_bench
from ruamel.yaml import YAML

from bench.data import reference as facts

KINETICS = ("archery", "crying", "drawing", "falling off bike", "high kick", "ice climbing")


SMALL = {
    "network": {"stem": 4, "widths": [8], "blocks": [1], "head": 16},
    "input": {"size": 32},
}


@pytest.fixture(scope="module", params=["small", pytest.param("full", marks=pytest.mark.slow)])
def real(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, shared_data: Path
) -> Path:
    """Give a copy of the project in which every block of the page was run, in order."""
    root: Path = tmp_path_factory.mktemp("real")
    copy_project(root)
    write_vectors(root / "vectors", shared_data)
    page = (ROOT / "docs" / "real-run.md").read_text(encoding="utf-8")
    for language, block in re.findall(r"```(\w+)\n(.*?)```", page, re.DOTALL):
        if language == "yaml":
            path = root / "params.yaml"
            yaml = YAML()
            whole = yaml.load(path)
            whole["profiles"] |= yaml.load(block)
            whole["profiles"]["clips"] |= SMALL if request.param == "small" else {}
            yaml.dump(whole, path)
        else:
            run(root, block, shared_data)
    return root


def write_vectors(folder: Path, shared_data: Path) -> None:
    """Write class vectors: the published ones, and for Kinetics means of GoogleNews words."""
    folder.mkdir()
    for name in ("ucf101", "hmdb51"):
        given = np.load(shared_data / "word2vec" / f"{name.upper()}.npz")
        np.savez(folder / f"{name}.npz", names=given["names"], vectors=given["vectors"])
    vocabulary = np.load(shared_data / "word2vec" / "googlenews_recovered_vocab.npz")
    vector = dict(zip(map(str, vocabulary["words"]), vocabulary["vectors"], strict=True))
    words = facts.classes("kinetics700")
    means = [np.mean([vector[w] for w in words[name]], axis=0) for name in KINETICS]
    np.savez(folder / "kinetics700.npz", names=np.array(KINETICS), vectors=np.array(means))


def run(root: Path, block: str, shared_data: Path) -> None:
    environment = {
        **os.environ,
        "CLIPS": str(shared_data / "videos"),
        "VECTORS": str(root / "vectors"),
        "PYTHONPATH": str(root),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    subprocess.run(["bash", "-euc", block], cwd=root, env=environment, check=True)


def test_every_clip_is_indexed_embedded_and_scored(real: Path) -> None:
    record = json.loads((real / "results/records/clips/aurl.transfer.seed0.json").read_text())
    assert record["status"] == "ok"
    assert {n: (c["expected"], c["scored"]) for n, c in record["coverage"].items()} == {
        "ucf101": (22, 22),
        "hmdb51": (6, 6),
    }
    assert record["steps"] == 2
    network, clip = (record["parameters"][name] for name in ("network", "input"))
    assert (network["head"], clip["size"]) in {(16, 32), (2048, 112)}  # small, as on the page
    assert {"ucf101.full.top1", "ucf101.half10.top1", "hmdb51.full.top1"} <= set(record["metrics"])


def test_the_overlapping_training_class_is_left_out(real: Path) -> None:
    overlap = json.loads((real / "splits/clips/overlap.json").read_text())
    assert [c["class"] for c in overlap["classes"] if not c["kept"]] == ["archery"]


def test_the_table_shows_coverage_and_published_numbers_beside(real: Path) -> None:
    out = run_bench(real, "table", "-p", "clips").out
    (row,) = (line for line in out.splitlines() if line.startswith("| AURL (ours) "))
    assert " 28/20086 " in row and " 44.4 " in row and " ok " in row
