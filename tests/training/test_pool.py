"""A worker's order of work."""

from pathlib import Path
from typing import Any

import pytest

from bench.layout import Layout
from bench.registry import MethodFile
from bench.settings import Input, Network, Train
from bench.training import cell, pool
from bench.training.job import Job

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("frozen", [True, False])
def test_frozen_features_are_there_before_the_cell_seeds_itself(
    frozen: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[str] = []
    monkeypatch.setattr(cell, "_prepare", lambda job: called.append("prepare"))
    monkeypatch.setattr(cell, "_open", lambda *rest: called.append("open"))
    monkeypatch.setattr(cell, "run_cell", lambda job, report: called.append("run"))
    monkeypatch.setattr("bench.data.index.read_index", lambda folder, name: None)
    assert pool._work(job_of(tmp_path, frozen)) == ("ok", "")
    assert called == (["prepare", "open", "open", "run"] if frozen else ["run"])


def job_of(tmp_path: Path, frozen: bool) -> Job:
    values: dict[str, Any] = {"freeze_backbone": frozen}
    return Job(
        cell="base_ls.transfer.seed0",
        layout=Layout(tmp_path, "tiny"),
        method=MethodFile("base_ls", ROOT / "methods" / "base_ls.py", "Base w/ L_S"),
        values=values,
        seed=0,
        fingerprint="",
        core="",
        train_on="train",
        seen=("a",),
        tests={"test": ("b",)},
        pretrain_on=None,
        input=Input(),
        network=Network(),
        train=Train(),
        facts={},
    )
