"""The params.yaml of a clean tree: what a record resolved, in place of what the file says."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from bench.config.paths import Layout
from bench.config.profile import TRANSFER as ONCE
from bench.data.formats.overlap_file import OverlapFile
from bench.errors import UserError
from bench.experiments.plan import TRANSFER
from bench.experiments.record import Record
from bench.utils.io import digest, dump_json, write_text


def read_parameters(tree: Path) -> dict[str, Any]:
    """Return the params.yaml of a tree's code as plain values."""
    raw = YAML(typ="safe").load(tree / "params.yaml")
    return raw if isinstance(raw, dict) else {}


def put_parameters(tree: Path, record: Record, raw: dict[str, Any], narrow: bool) -> None:
    """Write ``tree``'s params.yaml: ``raw``, with what the record resolved in its place.

    ``narrow`` leaves only the record's own training split to be trained.
    """
    try:
        block = dict(raw["profiles"][record.profile])
        resolved = {key: record.parameters[key] for key in ("method", "input", "network", "train")}
    except (KeyError, TypeError) as error:
        raise UserError(f"no {error} in the record or in the params.yaml of its code") from None
    on_cpu = record.environment.get("device", "cpu") == "cpu"
    train = resolved["train"] | {"seeds": [record.seed], "keep_model": False}
    train |= {"device": "cpu" if on_cpu else "auto"}
    block["network"] = resolved["network"]
    block["own"] = {record.method: {"input": resolved["input"], "train": train}}
    if narrow:
        block["datasets"] = {
            name: {**one, "protocols": _protocols(record, name, one.get("protocols") or ())}
            for name, one in block["datasets"].items()
        }
        if record.split != TRANSFER:
            block["train_on"] = None
            block["fifty_fifty"] = {"draws": 1, "file": "one split of the record"}  # of any draws
    # The splits are the record's, whatever τ and draws the file asks for now.
    file = Layout(tree, record.profile).splits / "overlap.json"
    overlap = OverlapFile.read(file) if narrow else None
    reading = {} if "checkpoint" in record.reading else record.reading
    named = (raw.get("methods") or {}).get(record.method) or {}
    values = {k: v for k, v in named.items() if v is not None}  # null: the default
    if digest({**values, **reading}) != record.parts.get("method"):  # not what it was given then
        values = {k: v for k, v in resolved["method"].items() if k not in reading}
    rows = [{"method": record.method, "set": reading}] if reading else []
    written = {
        "profile": record.profile,
        "tau": overlap.tau if overlap else raw.get("tau"),
        "methods": {record.method: values} if values else {},
        "readings": {"run": bool(rows), "rows": rows},
        "profiles": {record.profile: block},
    }
    write_text(tree / "params.yaml", dump_json(written))  # JSON is YAML


def link_files(root: Path, tree: Path, block: Any) -> None:
    """Make files that ``block`` names relative to the root reachable from the tree, too."""
    for text in sorted(set(_texts(block)), key=len):
        there, here = root / text, Path(os.path.normpath(tree / text))
        named = os.path.isfile(there) or ("/" in text and os.path.isdir(there))
        if named and not Path(text).is_absolute() and not here.exists():
            here.parent.mkdir(parents=True, exist_ok=True)
            here.symlink_to(there.resolve())


def _protocols(record: Record, dataset: str, protocols: Any) -> list[str]:
    if record.split == TRANSFER:
        return [one for one in protocols if one in ONCE]
    return [one for one in protocols if record.split.startswith(f"{dataset}.{one}.")]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)
