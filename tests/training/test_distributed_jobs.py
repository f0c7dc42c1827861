"""Several processes train one cell as one process does."""

import json
import os
import shutil
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

from bench.config.paths import Layout
from bench.config.schema import Train
from bench.data.input_store import FeatureReader
from bench.errors import UserError
from bench.losses import nce
from bench.method import Batch, Classes, Loss, Method
from bench.models.centres import synthetic_loss
from bench.training import run_job as attempt
from bench.training.cell_inputs import Batches
from bench.training.distributed import ALONE, World, joined
from bench.training.embed import Embedded, embed
from bench.training.trainer import Log, optimiser, resume, train

# The last state that is saved lies between two rows of the log.
SETTINGS = Train(steps=12, batch=6, lr=0.1, warmup=3, log_every=4, momentum=0.9, checkpoint_every=5)
FEATURES = np.random.default_rng(0).normal(size=(18, 5)).astype(np.float32)
LABELS = [0, 1, 2] * 6
SEEN = Classes(["a", "b", "c"], torch.eye(3))


class Small(Method):
    """AURL's losses on one layer each, without batch normalisation."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.v: nn.Module = nn.Linear(5, 4)
        self.s, self.W = nn.Linear(3, 4), nn.Parameter(torch.rand(3, 4))
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


class Normalised(Small):
    """The same with batch normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.v = nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4))


class Paired(Small):
    """The same with a loss that compares the videos of a batch with each other."""

    whole_batch = True

    def loss(self, batch: Batch, seen: Classes) -> Loss:
        loss, parts = super().loss(batch, seen)
        v = nn.functional.normalize(self.embed_video(batch))
        return loss + (v @ v.T).square().mean(), parts


def trained(folder: Path, world: World, kind: type[Small] = Small) -> None:
    """Train a method; write its log, weights and statistics."""
    method = kind()
    source = {"video": FeatureReader(FEATURES, {})}
    part = world.part(SETTINGS.batch, method)
    batches = Batches(source, range(18), LABELS, SETTINGS.batch, 0, part)
    state = folder / f"{kind.__name__}.pt"
    log = train(method, batches, SEEN, SETTINGS, state, world=world).log
    weights = torch.cat([w.flatten() for w in method.state_dict().values()]).tolist()
    result = folder / f"{kind.__name__}-{world.rank}-of-{world.size}.json"
    result.write_text(json.dumps([log, weights]))


def read(folder: Path, kind: type[Small], rank: int, size: int) -> tuple[Log, list[float]]:
    log, weights = json.loads((folder / f"{kind.__name__}-{rank}-of-{size}.json").read_text())
    return log, weights


def member(rank: int, port: int, folder: Path) -> None:
    """Be one of two processes, as torchrun tells them."""
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_RANK": str(rank)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    world = joined()
    for kind in (Small, Normalised, Paired):
        trained(folder, world, kind)
    torch.distributed.destroy_process_group()


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where two processes and one have left what they trained."""
    folder = tmp_path_factory.mktemp("two")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = get_context("spawn")
    two = [context.Process(target=member, args=(rank, port, folder)) for rank in range(2)]
    for process in two:
        process.start()
    (folder / "one").mkdir()
    for kind in (Small, Normalised, Paired):
        trained(folder / "one", ALONE, kind)
    for process in two:
        process.join(timeout=100)
        assert process.exitcode == 0
    return folder


def assert_alike(found: tuple[Log, list[float]], log: Log, weights: list[float]) -> None:
    assert found[1] == pytest.approx(weights, abs=1e-5)
    for row, other in zip(log, found[0], strict=True):
        assert other == pytest.approx(row, abs=1e-5)


@pytest.mark.parametrize("kind", [Small, Paired])
def test_two_processes_train_as_one(both: Path, kind: type[Small]) -> None:
    alone = read(both / "one", kind, 0, 1)
    for rank in range(2):
        assert_alike(read(both, kind, rank, 2), *alone)


def test_what_two_processes_saved_one_goes_on_from(both: Path, tmp_path: Path) -> None:
    shutil.copy(both / "Small.pt", tmp_path)
    assert _resumes_at(tmp_path / "Small.pt") == 10
    trained(tmp_path, ALONE)
    assert_alike(read(tmp_path, Small, 0, 1), *read(both / "one", Small, 0, 1))


def _resumes_at(state: Path) -> int:
    method = Small()
    step = optimiser(list(method.parameters()), SETTINGS)
    return resume(state, method, step)[0]


def test_batch_statistics_are_the_same_in_all_processes(both: Path) -> None:
    assert read(both, Normalised, 1, 2) == read(both, Normalised, 0, 2)


def test_the_parts_of_a_batch_are_the_batch(tmp_path: Path) -> None:
    source = {"video": FeatureReader(FEATURES, {})}
    whole = Batches(source, range(18), LABELS, 6, 0)[5]
    parts = [
        Batches(source, range(18), LABELS, 6, 0, World(r, 3).part(6, Small()))[5] for r in range(3)
    ]
    assert torch.equal(torch.cat([inputs["video"] for inputs, _ in parts]), whole[0]["video"])
    assert torch.equal(torch.cat([y for _, y in parts]), whole[1])
    with pytest.raises(UserError, match="batch of 6 cannot be shared evenly by 4 processes"):
        World(0, 4).part(6, Small())


def test_shared_embedding_is_in_the_order_of_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, labels, paths = [7, 3, 11, 0, 5], [0, 1, 2, 0, 1], [f"{i}.mp4" for i in range(18)]
    source = {"video": FeatureReader(FEATURES, {3: "lost"})}
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
    monkeypatch.setattr(attempt, "code_files", lambda path, root: [])
    monkeypatch.setattr(attempt, "_data", lambda job: [])
    monkeypatch.setattr(attempt, "_compare", lambda job, used: None)
    monkeypatch.setattr(attempt, "_parts", lambda job: {})
    monkeypatch.setattr(attempt, "run_cell", interrupted)
    method = SimpleNamespace(path=tmp_path / "methods" / "m.py", files=())
    job: Any = SimpleNamespace(method=method, layout=Layout(tmp_path, "tiny"), cell="one")
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
