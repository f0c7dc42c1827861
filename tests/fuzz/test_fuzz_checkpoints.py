"""Released checkpoints and weights: never executed, read whole or refused."""

import argparse
import io
import json
import pickle
from contextlib import chdir
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from fuzzing import Target, fuzz
from hostile import NAMES, changed_bytes, seeds
from safetensors.torch import save

from bench.cli.options import opened
from bench.features.image_classifiers import _read
from bench.pipeline.released_checkpoints import import_checkpoint, read_released


class Evil:
    """What a pickle would run if anything unpickled it."""

    def __reduce__(self) -> tuple[Any, Any]:
        return (open, ("/tmp/pickle-was-executed", "w"))


@cache
def _good(new: bool) -> bytes:
    out = io.BytesIO()
    state = {"module.a.weight": torch.ones(3, 2), "module.b": torch.zeros(2)}
    value = {"state_dict": state, "opt": argparse.Namespace(lr=0.1), "accuracy": np.float64(0.5)}
    torch.save(value, out, _use_new_zipfile_serialization=new)
    return out.getvalue()


def _odd(random: Random) -> bytes:
    """Return a file of torch.save whose content is not what it should be."""
    tensors = [
        torch.ones(2), torch.tensor(float("nan")), torch.zeros(0), torch.ones(2, dtype=torch.int8),
        torch.ones(2).to_sparse(), torch.nn.Parameter(torch.ones(1)), torch.ones(1, device="meta"),
        torch.ones(2, dtype=torch.complex64), torch.ones(2, dtype=torch.bfloat16), 3, None, "x",
    ]  # fmt: skip
    state: Any = {random.choice([*NAMES, 1, None]): random.choice(tensors) for _ in range(3)}
    state = random.choice([state, state, list(state.values()), None, "x"])
    value: Any = {"state_dict": state, "opt": random.choice([None, {}, argparse.Namespace(x=Evil)])}
    value["accuracy"] = random.choice([None, 1, float("nan"), np.float64(1), Evil()])
    out = io.BytesIO()
    try:
        torch.save(random.choice([value, value, state]), out)
    except Exception:
        return pickle.dumps(Evil())
    return out.getvalue()


def _file(random: Random) -> bytes:
    kind = random.random()
    if kind < 0.1:
        return pickle.dumps(random.choice([Evil(), {"state_dict": Evil()}, [1], {1: 2}]))
    if kind < 0.4:
        return _odd(random)
    return changed_bytes(_good(kind < 0.7), random)


def _released(random: Random, folder: Path) -> None:
    (folder / "x.pth.tar").write_bytes(_file(random))
    _, facts = read_released(folder / "x.pth.tar")
    json.dumps(facts, allow_nan=False)


def _imported(random: Random, folder: Path) -> object:
    (folder / "x.pth.tar").write_bytes(_file(random))
    with chdir(folder):
        config, layout = opened(None)
    return import_checkpoint(config, layout, folder / "x.pth.tar", "aurl", "x")


class _Entry:
    url = "x"


def _weights(random: Random, folder: Path) -> None:
    if random.random() < 0.5:
        (folder / "w.pth").write_bytes(_file(random))
        _read(folder / "w.pth", "resnet50", _Entry)
        return
    file = folder / "w.safetensors"
    file.write_bytes(changed_bytes(save({"a": torch.ones(3), "b": torch.zeros(2, 2)}), random))
    _read(file, "resnet50", _Entry)


TARGETS = [
    Target("checkpoints", seeds(), _released, share=8, short=40),
    Target("checkpoints, import", seeds(), _imported, share=2, short=10),
    Target("weights of classifiers", seeds(), _weights, share=6, short=30),
]


@pytest.mark.parametrize("target", TARGETS, ids=lambda one: one.name)
def test_checkpoints(target: Target, project: Path) -> None:
    assert fuzz(target, project, target.short)["refused"]
    assert not Path("/tmp/pickle-was-executed").exists()
