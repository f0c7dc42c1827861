"""Several processes train one cell as one process does."""

import json
import os
import socket
import subprocess
import sys
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from project import ROOT, tiny_project
from torch import Tensor, nn

from bench.errors import UserError
from bench.layout import Layout
from bench.losses import nce
from bench.method import Batch, Classes, Loss, Method
from bench.models.centres import synthetic_loss
from bench.settings import Train
from bench.training import attempt
from bench.training.batches import Batches
from bench.training.embed import Embedded, embed
from bench.training.inputs import Vectors
from bench.training.loop import train
from bench.training.world import ALONE, World, joined

SETTINGS = Train(steps=12, batch=6, lr=0.1, warmup=3, log_every=4, momentum=0.9)
FEATURES = np.random.default_rng(0).normal(size=(18, 5)).astype(np.float32)
LABELS = [0, 1, 2] * 6
SEEN = Classes(["a", "b", "c"], torch.eye(3))


class Small(Method):
    """AURL's losses on one layer each, without batch normalisation."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.v, self.s, self.W = nn.Linear(5, 4), nn.Linear(3, 4), nn.Parameter(torch.rand(3, 4))
        self.unused = nn.Linear(2, 2)

    def embed_video(self, batch: Batch) -> Tensor:
        out: Tensor = self.v(batch.video[:, 0])
        return out

    def embed_class(self, classes: Classes) -> Tensor:
        out: Tensor = self.s(classes.vectors)
        return out

    def loss(self, batch: Batch, seen: Classes) -> Loss:
        v, s = self.embed_video(batch), self.embed_class(seen)
        l_us, parts = synthetic_loss(s, self.W, "uniform", "semantic", 10)
        l_s = nce(v, s, batch.y)
        return l_s + nce(v, self.W, batch.y) + l_us, {"L_S": l_s, **parts}


def trained(folder: Path, world: World) -> None:
    """Train ``Small``; write its log and weights."""
    method = Small()
    source = {"video": Vectors(FEATURES, {})}
    batches = Batches(source, range(18), LABELS, SETTINGS.batch, 0, world.part(SETTINGS.batch))
    log = train(method, batches, SEEN, SETTINGS, folder / "state.pt", world=world).log
    weights = torch.cat([w.flatten() for w in method.parameters()]).tolist()
    (folder / f"{world.rank}-of-{world.size}.json").write_text(json.dumps([log, weights]))


def member(rank: int, port: int, folder: Path) -> None:
    """Be one of two processes, as torchrun tells them."""
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_RANK": str(rank)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    trained(folder, joined())
    torch.distributed.destroy_process_group()


def test_two_processes_train_as_one(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = get_context("spawn")
    two = [context.Process(target=member, args=(rank, port, tmp_path)) for rank in range(2)]
    for process in two:
        process.start()
    trained(tmp_path, ALONE)
    for process in two:
        process.join(timeout=100)
        assert process.exitcode == 0
    log, weights = json.loads((tmp_path / "0-of-1.json").read_text())
    for rank in range(2):
        its_log, its_weights = json.loads((tmp_path / f"{rank}-of-2.json").read_text())
        assert its_weights == pytest.approx(weights, abs=1e-5)
        for row, other in zip(log, its_log, strict=True):
            assert other == pytest.approx(row, abs=1e-5)


def test_the_parts_of_a_batch_are_the_batch(tmp_path: Path) -> None:
    source = {"video": Vectors(FEATURES, {})}
    whole = Batches(source, range(18), LABELS, 6, 0)[5]
    parts = [Batches(source, range(18), LABELS, 6, 0, World(r, 3).part(6))[5] for r in range(3)]
    assert torch.equal(torch.cat([inputs["video"] for inputs, _ in parts]), whole[0]["video"])
    assert torch.equal(torch.cat([y for _, y in parts]), whole[1])
    with pytest.raises(UserError, match="batch of 6 cannot be shared evenly by 4 processes"):
        World(0, 4).part(6)


def test_shared_embedding_is_in_the_order_of_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, labels, paths = [7, 3, 11, 0, 5], [0, 1, 2, 0, 1], [f"{i}.mp4" for i in range(18)]
    source = {"video": Vectors(FEATURES, {3: "lost"})}
    given = (Small().eval(), source, paths, rows, labels, SEEN)
    alone, mine = embed(*given), []

    def gather(self: World, value: Embedded) -> list[Embedded]:
        mine.append(value)
        return list(mine)

    monkeypatch.setattr(World, "gather", gather)
    embed(*given, world=World(0, 2))
    both = embed(*given, world=World(1, 2))
    assert len(mine[0].arrays["row"]) == len(mine[1].arrays["row"]) == 2
    assert both.failed == alone.failed == {"3.mp4": "lost"}
    for name, array in alone.arrays.items():
        assert np.allclose(both.arrays[name], array, atol=1e-6), name


def test_an_interrupt_of_several_processes_is_no_failed_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(attempt, "load", lambda method: None)
    monkeypatch.setattr(attempt, "_edited", lambda job: False)
    monkeypatch.setattr(attempt, "run_cell", interrupted)
    job: Any = SimpleNamespace(method=None, layout=Layout(tmp_path, "tiny"), cell="one")
    with pytest.raises(KeyboardInterrupt):
        attempt.attempt(job, lambda step, loss: None, World(0, 2))


@pytest.mark.slow
def test_torchrun_trains_a_cell_and_a_failure_is_a_failed_cell(tmp_path: Path) -> None:
    tiny_project(tmp_path, 20, "base_ls")
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        whole = [sys.executable, "-m", *words]
        return subprocess.run(whole, cwd=tmp_path, env=environment, capture_output=True, text=True)

    for stage in ("data", "words", "splits", "inputs"):
        assert run("bench.cli", "stage", stage).returncode == 0
    together = ("torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m")
    done = run(*together, "bench.cli", "train")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("base_ls.tiny.fifty-fifty.00.seed0: ok") == 1
    cell = tmp_path / "runs" / "tiny" / "base_ls.tiny.fifty-fifty.00.seed0" / "run.json"
    facts = json.loads(cell.read_text())
    assert (facts["world_size"], facts["effective_batch"]) == (2, 8)
    assert "0 to train" in run(*together, "bench.cli", "train").stdout
    method = tmp_path / "methods" / "base_ls.py"
    method.write_text(method.read_text().replace("return loss, ", "return 1e39 * loss, "))
    failed = run(*together, "bench.cli", "train")
    assert failed.returncode != 0
    assert "failed, the loss is" in failed.stdout
    assert "not tried: 1" in failed.stdout
    failures = json.loads((tmp_path / "runs" / "tiny" / "failures.json").read_text())
    assert set(failures) - {"checksum"} == {"base_ls.tiny.fifty-fifty.00.seed0"}
    assert str(ROOT) not in done.stdout
