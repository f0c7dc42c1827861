"""A clean tree in which one record can be trained again: its code, parameters, data and split."""

import io
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from bench.config.paths import Layout
from bench.config.profile import TRANSFER as ONCE
from bench.data.formats.index_file import IndexFile
from bench.data.formats.overlap_file import OverlapFile
from bench.data.formats.split_file import SplitFile
from bench.errors import UserError
from bench.experiments.fingerprint import code_digest, core_digest
from bench.experiments.method_registry import scan
from bench.experiments.plan import TRANSFER
from bench.experiments.record import Record
from bench.utils.io import digest, dump_json, write_text

CODE = ("bench", "methods", "params.yaml", "dvc.yaml")


def put_code(root: Path, record: Record, tree: Path) -> str:
    """Put the record's code into ``tree`` and say which: its commit, or the present code.

    Raises UserError where neither is the code that made the record.
    """
    short = record.git_commit[:8]
    core = core_digest(root)
    own = [name for name in CODE if (root / name).exists()]  # of a started project all but bench/
    installed = "bench" not in own
    if record.git_dirty:
        why = f"commit {short} had changes beside it that were not committed"
    elif not record.git_commit:
        why = "the record names no commit"
    elif installed and record.parts.get("core") != core:
        why = "the installed bench is another version than the record's"
    elif not archived(root, record.git_commit, tree, *own):
        why = f"commit {short} is not in this repository"
    else:
        return f"code of commit {short}" + ", bench as installed" * installed
    present = {"core": core}
    file = scan(root).get(record.method)
    present["source"] = code_digest(file.path, root) if file and not file.problem else ""
    other = [part for part, value in present.items() if record.parts.get(part) != value]
    if other:
        raise UserError(f"{why}, and the present code is another ({', '.join(other)})")
    unwanted = shutil.ignore_patterns("__pycache__")
    for name in own:
        if (root / name).is_dir():
            shutil.copytree(root / name, tree / name, ignore=unwanted)
        else:
            shutil.copy(root / name, tree / name)
    return f"present code, whose fingerprint is the record's ({why})"


def archived(root: Path, commit: str, tree: Path, *paths: str) -> bool:
    """Extract ``paths`` of a commit into ``tree``; False if the repository has not all of them."""
    if not re.fullmatch("[0-9a-f]{7,64}", commit):
        return False
    words = ["git", "archive", "--format=zip", commit, "--", *paths]
    done = subprocess.run(words, cwd=root, capture_output=True)
    if done.returncode:
        return False
    with zipfile.ZipFile(io.BytesIO(done.stdout)) as archive:
        archive.extractall(tree)
    return True


def commit_of(root: Path, name: str) -> str:
    """Return the full hash of what git calls ``name`` (HEAD, a branch, a hash), "" if nothing."""
    words = ["git", "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"]
    try:
        done = subprocess.run(words, cwd=root, capture_output=True, text=True)
    except FileNotFoundError:  # no git on this machine
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def has_data(layout: Layout, record: Record) -> bool:
    """Tell whether the stages before training have run here for the record's data sets."""
    files = [layout.words / "words.json", *(layout.index / f"{name}.json" for name in record.data)]
    return all(file.is_file() for file in files)


def link_data(layout: Layout, tree: Layout) -> None:
    """Give ``tree`` the data that are there: read, never written, by training."""
    for kind in ("index", "words", "inputs", "checkpoints"):
        there, here = getattr(layout, kind), getattr(tree, kind)
        if there.is_dir():
            here.parent.mkdir(parents=True, exist_ok=True)
            here.symlink_to(there.resolve(), target_is_directory=True)
    if layout.inputs_status.is_file():
        write_text(tree.inputs_status, layout.inputs_status.read_text(encoding="utf-8"))


def other_data(layout: Layout, record: Record) -> str:
    """Say which data set is not the recorded one, "" if all are."""
    for name, recorded in record.data.items():
        if other := _other(IndexFile, layout.index / f"{name}.json", recorded):
            return f"data of {name}: {other}"
    return ""


def put_splits(layout: Layout, record: Record, tree: Layout) -> None:
    """Give ``tree`` the recorded splits: those of ``splits/``, or of the record's commit.

    Raises UserError if neither are those of the record.
    """
    path = str(layout.splits.relative_to(layout.root))
    reason = other_splits(layout.splits, record)
    if not reason:
        shutil.copytree(layout.splits, tree.splits, dirs_exist_ok=True)
    elif (
        record.git_dirty
        or not archived(layout.root, record.git_commit, tree.root, path)
        or other_splits(tree.splits, record)
    ):
        raise UserError(reason)


def keep_one_split(tree: Layout, record: Record) -> None:
    """Keep only the record's split in its split file, so that no other is trained."""
    if record.split != TRANSFER:
        dataset, protocol, name = record.split.split(".", 2)
        path = tree.splits / f"{dataset}.{protocol}.json"
        file = SplitFile.require(path)
        own = [one for one in file.splits if one["name"] == name]
        file.model_copy(update={"splits": own}).write(path)


def other_splits(folder: Path, record: Record) -> str:
    """Say which split file of a folder is not the recorded one, "" if all are."""
    recorded = dict(record.split_digests)
    if record.split == TRANSFER and "split" in record.parts:
        recorded["overlap"] = record.parts["split"]
    for name, value in recorded.items():
        kind = OverlapFile if name == "overlap" else SplitFile
        if other := _other(kind, folder / f"{name}.json", value):
            return f"split file {name}: {other}"
    return ""


def _other(
    kind: type[IndexFile] | type[OverlapFile] | type[SplitFile], path: Path, recorded: str
) -> str:
    """Describe how a file's digest differs from the recorded one; "" if they are equal."""
    file = kind.read(path)
    found = file.digest if file else "missing"
    return "" if found == recorded else f"{found} here, {recorded} in the record"


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
