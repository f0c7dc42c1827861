"""Released checkpoints: read without running anything, converted to our weights and back.

The released file (ShipuLoveMili/CVPR2022-AURL) is a pickle of a dict: state_dict, opt, accuracy.
"""

import argparse
import hashlib
import math
import pickle
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy._core.multiarray import scalar
from pydantic import ValidationError
from safetensors.torch import load_file, save_file
from torch import Tensor

from bench.config.paths import Layout
from bench.config.profile import Config, row_id
from bench.config.schema import Input, Network
from bench.data.formats.checkpoint_file import CheckpointFile
from bench.data.formats.json_file import first_error
from bench.errors import UserError, nearest, unknown
from bench.experiments.cell_cache import read_run
from bench.experiments.method_registry import load, scan
from bench.experiments.record import Run
from bench.features.image_classifiers import is_plain
from bench.method import Classes, Method, create
from bench.models.released_names import Released, released_names
from bench.training.cell_inputs import open_cell
from bench.utils.io import dump_sealed, file_digest, replacing

State = dict[str, Tensor]
# What a released file may be made of besides tensors: its `accuracy` and its learning rate are
# numpy floats, whose maker had another name before numpy 2.
_ALLOWED: list[Any] = [
    argparse.Namespace,
    np.dtype,
    type(np.dtype(np.float64)),
    scalar,
    (scalar, "numpy.core.multiarray.scalar"),
]


@dataclass(frozen=True)
class Kind:
    """What a state dict belongs to: a method with its parameters, in a network of some size."""

    method: type[Method]
    values: Mapping[str, Any]
    network: Network

    @property
    def released(self) -> Released:
        """The method's released names; a UserError if it has none."""
        found: Released | None = getattr(self.method, "released", None)
        if found is None:
            name = self.method.__module__.rpartition(".")[2]
            raise UserError(f"method {name} has no released checkpoint: its class names no weights")
        return found

    def built(self, classes: int = 1, words: int = 1) -> Method:
        """Return the method on clips without storage, only for names and shapes."""
        with torch.device("meta"):
            method = create(self.method, self.values)
            seen = Classes([str(i) for i in range(classes)], torch.zeros(classes, words))
            return open_cell(method, self.network, seen, {"video": 0})


def read_released(path: Path) -> tuple[State, dict[str, Any]]:
    """Return a released file's state dict, without ``module.`` prefixes, and its other facts.

    Nothing of the file is executed. Raises UserError, one line: a missing, damaged or foreign file,
    or one that is made of more than tensors, plain values and an argparse.Namespace.
    """
    try:
        with torch.serialization.safe_globals(_ALLOWED), warnings.catch_warnings(action="ignore"):
            raw = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"checkpoint {path} is missing") from None
    except IsADirectoryError:
        raise UserError(f"checkpoint {path} is a folder, not a file") from None
    except pickle.UnpicklingError as error:
        refused = re.search(r"GLOBAL ([\w.]+)", str(error))
        if refused:
            why = f"it holds {refused[1].rstrip('.')}, which a checkpoint does not need; refused"
            raise UserError(f"{path}: {why}, nothing was executed") from None
        raise UserError(f"{path}: damaged, or not a checkpoint of torch.save") from None
    except OSError:
        raise
    except Exception:  # bytes of any other kind make the reader of pickles raise anything
        raise UserError(f"{path}: damaged, or not a checkpoint of torch.save") from None
    state = raw.get("state_dict") if isinstance(raw, dict) else None
    if not isinstance(state, dict) or not all(map(is_plain, state.values())):
        raise UserError(f"{path}: has no 'state_dict' of tensors, so it is no released checkpoint")
    names = [str(name) for name in state]
    prefix = "module." if names and all(n.startswith("module.") for n in names) else ""
    weights = {n.removeprefix(prefix): w for n, w in zip(names, state.values(), strict=True)}
    opt = raw.get("opt")
    options = vars(opt) if isinstance(opt, argparse.Namespace) else {}
    return weights, {"opt": _plain(options), "accuracy": _plain(raw.get("accuracy"))}


def convert(state: Mapping[str, Tensor], kind: Kind) -> State:
    """Return our state dict of a released one; weights that no output depends on are dropped.

    Raises UserError, one line: a weight is missing, unknown, of another shape or not finite, or a
    copy differs from what it repeats.
    """
    released = kind.released
    dims = _dims(state, released)
    expected = kind.built(dims["classes"], dims["words"])
    shapes = {name: tuple(w.shape) for name, w in expected.state_dict().items()}
    names = released_names(expected)
    wanted = {theirs: shapes[own] for own, theirs in names.items()}
    unused = {n: tuple(dims[d] for d in shape) for n, shape in released.unused.items()}
    known = wanted | unused
    for copy, original in _copies(known, released).items():
        known[copy] = known[original]
        if copy in state and original in state and not torch.equal(state[copy], state[original]):
            raise UserError(f"'{copy}' differs from '{original}', which it must repeat")
    for theirs, weight in state.items():
        if theirs not in known:
            raise UserError(f"unknown weight '{theirs}'{nearest(theirs, known)}")
        if tuple(weight.shape) != known[theirs]:
            found, fits = list(weight.shape), list(known[theirs])
            why = f"has shape {found}, expected {fits} in this profile's network"
            raise UserError(f"weight '{theirs}' {why}")
    for theirs in wanted:
        if theirs not in state:
            raise UserError(f"weight '{theirs}' is missing")
        if not state[theirs].isfinite().all():
            raise UserError(f"weight '{theirs}' is not finite")
    own_types = {name: w.dtype for name, w in expected.state_dict().items()}
    return {own: state[theirs].to(own_types[own]) for own, theirs in names.items()}


def to_released(ours: Mapping[str, Tensor], kind: Kind) -> State:
    """Return the released form of our state dict; weights that nothing depends on are zeros."""
    released = kind.released
    names = released_names(kind.built())
    if names.keys() != ours.keys():
        odd = min(names.keys() ^ ours.keys())
        raise UserError(f"weight '{odd}': not the weights of this method on clips")
    state = {theirs: ours[own] for own, theirs in names.items()}
    dims = _dims(state, released)
    for name, shape in released.unused.items():
        state[name] = torch.zeros([dims[d] for d in shape])
    state |= {copy: state[original] for copy, original in _copies(state, released).items()}
    return state


def import_checkpoint(config: Config, layout: Layout, file: Path, method: str, name: str) -> str:
    """Write a released file as ``<name>.safetensors`` and ``.json``; return its row's id.

    Raises UserError, and then has written nothing.
    """
    tests = config.profile.transfer_sets()
    if not tests:
        raise UserError(f"profile {config.name} has no protocol full or half10 to test it by")
    for test in tests:
        if config.profile.datasets[test].kind != "videos":
            raise UserError(f"data set {test} of profile {config.name} has features, not videos")
    name = name or file.name.split(".")[0]
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name, re.ASCII):
        raise UserError(f"--name '{name}': use letters, digits, '.', '-' and '_'")
    network, values = config.profile.network, config.methods.get(method, {})
    kind = Kind(_method(layout, method), values, network)
    released = kind.released
    state, facts = read_released(file)
    with _of(file):
        ours = convert(state, kind)
    with file.open("rb") as handle:
        source = hashlib.file_digest(handle, "sha256").hexdigest()
    weights = layout.checkpoints / f"{name}.safetensors"
    kept = layout.checkpoints / f"{name}.json"
    old = CheckpointFile.read(kept)
    if old and (old.sha256, old.method) != (source, method):
        raise UserError(f"{kept} is of another file or method; choose another --name")
    with replacing(kept) as facts_part, replacing(weights) as part:
        save_file({key: weight.contiguous() for key, weight in ours.items()}, part)
        described = {
            "method": method,
            "source": file.name,
            "sha256": source,
            "classes": _dims(state, released)["classes"],
            "chosen": "last" if facts["accuracy"] is None else "best_on_test",
            "digest": file_digest(part),
            **facts,
        }
        facts_part.write_text(dump_sealed(described), encoding="utf-8")
    return row_id(method, {"checkpoint": name})


def export_checkpoint(layout: Layout, cell: str, out: Path, force: bool) -> int:
    """Write a cell's weights in the released form; return how many there are."""
    cells = [folder.name for folder in layout.finished_cells()]
    if cell not in cells:
        raise unknown(f"cell of profile {layout.profile}", cell, cells)
    if out.exists() and not force:
        raise UserError(f"{out} exists already; --force replaces it")
    folder = layout.runs / cell
    run = read_run(folder)
    if run is None:
        raise UserError(f"{folder}: removed by another process; run the command again")
    parameters = run.parameters
    imported = parameters.get("checkpoint")
    weights = folder / "model.safetensors"
    if imported:
        weights = layout.checkpoints / f"{run.reading['checkpoint']}.safetensors"
    if not weights.is_file():
        raise UserError(f"{weights} is missing: the cell was trained without train.keep_model")
    try:
        network = Network.model_validate(parameters["network"])
        clip = Input.model_validate(parameters["input"])
    except ValidationError as error:
        reason = first_error(error)
        raise UserError(f"{folder}/run.json: damaged ({reason}); run 'bench train'") from None
    kind = Kind(_method(layout, run.method), parameters["method"], network)
    with _of(weights):
        state = to_released(load_file(weights), kind)
    opt = imported["opt"] if imported else _options(run, clip, state, kind)
    value = {
        "state_dict": state,
        "opt": argparse.Namespace(**opt),
        "accuracy": imported["accuracy"] if imported else None,  # not chosen by an accuracy
    }
    with replacing(out) as part:
        torch.save(value, part)
    return len(state)


def _method(layout: Layout, name: str) -> type[Method]:
    files = scan(layout.root)
    if name not in files:
        raise unknown("method", name, files)
    return load(files[name])


def _options(run: Run, clip: Input, state: State, kind: Kind) -> dict[str, Any]:
    """Return how a cell was trained, under the released names where there are such."""
    keys = {"profile", "row", "split", "seed", "steps", "fingerprint", "git_commit", "parameters"}
    return {
        "n_classes": _dims(state, kind.released)["classes"],
        "clip_len": clip.length,
        "n_clips": clip.test_clips,
        "size": clip.size,
        "aurl_bench": run.model_dump(mode="json", include=keys),
    }


def _dims(state: Mapping[str, Tensor], released: Released) -> dict[str, int]:
    dims = {}
    for dim, (name, axis) in released.dims.items():
        if name not in state:
            raise UserError(f"weight '{name}' is missing")
        if state[name].ndim <= axis:
            raise UserError(f"weight '{name}' has shape {list(state[name].shape)}")
        dims[dim] = state[name].shape[axis]
    return dims


def _copies(names: Mapping[str, Any], released: Released) -> dict[str, str]:
    """Return copy -> original of every weight that the released form holds twice."""
    return {
        copy + name.removeprefix(original): name
        for copy, original in released.copies.items()
        for name in names
        if name.startswith(original)
    }


@contextmanager
def _of(path: Path) -> Iterator[None]:
    """Put the file in front of what is wrong with its weights."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def _plain(value: Any) -> Any:
    """Return a value of a pickle as JSON has it; what JSON has not becomes text."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, float):  # numpy's float64 is one
        return float(value) if math.isfinite(value) else str(value)
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


def is_prepared(config: Config, layout: Layout) -> bool:
    """Return whether the stages before training have run."""
    files = [layout.words / "words.json"]
    for name in config.profile.transfer_sets():
        files.append(layout.index / f"{name}.json")
        protocols = config.profile.datasets[name].protocols
        files += [layout.splits / f"{name}.{protocol}.json" for protocol in protocols]
    return all(file.is_file() for file in files)
