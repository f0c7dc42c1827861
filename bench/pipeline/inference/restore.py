"""A trained method built again from its record: what it was built with, and its weights."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from bench.config.paths import Layout
from bench.config.profile import Config
from bench.config.schema import Input, Network
from bench.data.input_store import read_classes, read_objects
from bench.data.words.store import load_class_vectors
from bench.errors import UserError
from bench.experiments.fingerprint import source_digest
from bench.experiments.method_registry import load, scan
from bench.experiments.plan import TRANSFER, VERDICTS, split_file
from bench.experiments.record import Record
from bench.method import Classes, Context, Method, as_tensor_classes, create
from bench.models.factory import new_backbone
from bench.pipeline.inference.find_cell import FoundCell
from bench.utils.io import DAMAGED, file_digest, read_json

OF_CLASSES = ("texts", "signatures", "clip")


def settings_of(found: FoundCell) -> tuple[Input, Network]:
    """Return the input and the network that a cell was trained with."""
    parameters = found.run["parameters"]
    try:
        network = Network.model_validate(parameters["network"])
        return Input.model_validate(parameters["input"]), network
    except ValidationError as error:
        where = f"runs/{found.record.profile}/{found.record.cell}/run.json"
        raise UserError(f"{where}: damaged ({error.errors()[0]['msg']})") from None


def seen_classes(config: Config, layout: Layout, found: FoundCell, device: torch.device) -> Classes:
    """Return the training classes as the method was built with."""
    record, given = found.record, found.run["parameters"]["inputs"]
    if "checkpoint" in record.reading:  # its classes are known by number alone
        facts = read_json(found.weights.with_suffix(".json"), classes=int)
        names = [f"class {i}" for i in range(facts["classes"] if facts else 0)]
        vectors = load_class_vectors(layout.words, config.profile.transfer_sets()[0])
        width = len(next(iter(vectors.values())))
        return as_tensor_classes(names, np.zeros((len(names), width)), device)
    dataset = _trained_on(config, record)
    names = _names(layout, found, dataset)
    vectors = load_class_vectors(layout.words, dataset)
    if lost := [name for name in names if name not in vectors]:
        raise UserError(f"training class '{lost[0]}' has no vector; run 'bench stage words'")
    more = {}
    if "seen" in found.run["embedded"]:  # else nothing was trained, and they are vectors alone
        facts = read_json(layout.index / f"{dataset}.json", classes=[str])
        listed = facts["classes"] if facts else []
        for name in (one for one in OF_CLASSES if one in given):
            array = read_classes(layout.inputs / name, dataset, len(listed))
            more[name] = array[[listed.index(one) for one in names]]
    return as_tensor_classes(names, np.stack([vectors[n] for n in names]), device, more)


def _trained_on(config: Config, record: Record) -> str:
    if record.split == TRANSFER:
        return config.profile.train_on or ""
    return record.split.split(".")[0]


def _names(layout: Layout, found: FoundCell, dataset: str) -> list[str]:
    """Return the training classes: as its run has them, else as the splits say."""
    if "seen" in found.run["embedded"]:
        return list(found.run["embedded"]["seen"]["names"])
    if found.record.split == TRANSFER:
        overlap = read_json(layout.splits / "overlap.json", classes=VERDICTS)
        if overlap is None:
            raise UserError(f"{layout.splits}/overlap.json is missing; run 'bench stage splits'")
        return [one["class"] for one in overlap["classes"] if one["kept"]]
    _, protocol, draw = found.record.split.split(".", 2)
    splits = split_file(layout, dataset, protocol)["splits"]
    return next((list(one["seen"]) for one in splits if one["name"] == draw), [])


def built(
    layout: Layout, found: FoundCell, network: Network, seen: Classes, device: torch.device
) -> Method:
    """Return the method in eval mode with its weights; UserError if they are not its own."""
    record, given = found.record, found.run["parameters"]["inputs"]
    file = scan(layout.root).get(record.method)
    if file is None:
        raise UserError(f"methods/{record.method}.py is gone; restore it from git")
    method = create(load(file), found.run["parameters"]["method"])
    dims = {name: _dim(layout, name, found, network, method) for name in _opened(method, given)}
    if "clips" in dims:
        dims["video"] = dims.pop("clips")
    backbone, dim = new_backbone(network, dims.get("video", 0))
    objects = None
    if {"objects", "boxes", "signatures"} & set(given):
        names, vectors, others = read_objects(layout.inputs / "objects")
        objects = as_tensor_classes(names, vectors, device, others)
    state = _weights(found)
    with torch.random.fork_rng():  # building draws the weights that are replaced
        method.build(Context(seen, dims, network.head, backbone, dim, objects))
    shapes = {name: one.shape for name, one in method.state_dict().items()}
    if shapes != {name: one.shape for name, one in state.items()}:
        raise UserError(
            f"{found.weights}: not the weights of the present methods/{record.method}.py; "
            f"run 'bench train {record.row}'"
        )
    method.load_state_dict(state)
    return method.to(device).eval()


def _opened(method: Method, given: Mapping[str, str]) -> list[str]:
    """Return the inputs of videos that a method is given."""
    wanted = [*method.needs, *(name for name in method.wants if name in given)]
    return [name for name in dict.fromkeys(wanted) if name not in ("texts", "signatures")]


def _dim(layout: Layout, name: str, found: FoundCell, network: Network, method: Method) -> int:
    """Return the last dimension of an input, 0 of clips; of a stored one that of its file."""
    if name == "clips" or (name == "video" and not method.freeze_backbone):
        return 0
    stored = "features" if name == "video" else name
    path = layout.inputs / stored / f"{next(iter(found.record.data))}.npy"
    try:
        return int(np.load(path, mmap_mode="r", allow_pickle=False).shape[-1])
    except FileNotFoundError:
        raise UserError(f"{path} is missing; run 'bench stage inputs'") from None
    except DAMAGED as error:
        raise UserError(f"{path}: damaged ({error}); run 'bench stage inputs'") from None


def _weights(found: FoundCell) -> dict[str, Tensor]:
    path: Path = found.weights
    if "checkpoint" in found.record.reading:
        facts = read_json(path.with_suffix(".json"), "digest")
        if facts is None or facts["digest"] != file_digest(path):
            raise UserError(f"{path}: not what was imported; import the checkpoint again")
    try:
        return load_file(path)
    except (SafetensorError, *DAMAGED) as error:
        raise UserError(f"{path}: damaged ({error}); run 'bench train'") from None


def changed(layout: Layout, record: Record) -> str:
    """Say what of the code is another than when a cell was trained, "" if nothing is."""
    root = layout.root
    file = scan(root).get(record.method)
    now = {f"methods/{record.method}.py": file and not file.problem and ("source", file.path)}
    now |= {"the training code": ("core", root / "bench" / "training" / "run_cell.py")}
    other = [
        what
        for what, where in now.items()
        if where and source_digest(where[1], root) != record.parts.get(where[0])
    ]
    if not other:
        return ""
    return (
        f"{record.cell} is outdated: {' and '.join(other)} changed since it was trained; "
        "'dvc repro' trains it again"
    )
