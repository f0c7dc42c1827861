"""A frozen backbone's features: the same for every cell, whichever comes first."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.layout import Layout
from bench.settings import Input, Network, Train
from bench.training import frozen


class Clips:
    dim, n = 0, 1
    failures: dict[int, str] = {}

    def train(self, rows: list[int], rng: np.random.Generator) -> Tensor:
        return torch.zeros(len(rows), 1, 4, 16, 16, 3, dtype=torch.uint8)

    def test(self, rows: list[int]) -> Tensor:
        return self.train(rows, np.random.default_rng())


def test_the_cell_that_pretrains_draws_what_the_next_ones_draw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index: Any = SimpleNamespace(
        name="x", digest="d", paths=["a", "b"], labels=np.array([0, 1]), classes=["p", "q"]
    )
    monkeypatch.setattr(frozen, "read_index", lambda folder, name: index)
    monkeypatch.setattr(frozen, "open_video", lambda *rest: Clips())
    job: Any = SimpleNamespace(
        layout=Layout(tmp_path, "tiny"),
        network=Network(stem=4, widths=(4,), blocks=(1,), head=4, pretrain_steps=1),
        input=Input(),
        train=Train(steps=1, batch=2),
        pretrain_on="x",
        core="",
    )

    def draws() -> list[float]:
        torch.manual_seed(7)
        frozen.frozen_source(job, index, Clips(), torch.device("cpu"))
        return torch.rand(3).tolist()

    assert draws() == draws()
