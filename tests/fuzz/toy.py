"""A project in small, for what reads a whole checkout: two methods, real records and splits."""

import shutil
from functools import cache
from pathlib import Path
from typing import Any

from project import ROOT, copy_project, keep_methods
from ruamel.yaml import YAML

METHODS = ("aurl", "eszsl")
RECORDS = ("aurl.transfer.seed0", "aurl.transfer.seed1", "eszsl.transfer.seed0")
RECORDS += ("aurl+w_init=normal.transfer.seed0",)


@cache
def parameters() -> dict[str, Any]:
    """Return the project's parameters with profile mini alone and what the two methods need."""
    raw = YAML(typ="safe").load(ROOT / "params.yaml")
    mini = raw["profiles"]["mini"]
    del mini["own"]
    mini["train"]["seeds"] = [0, 1]
    raw["readings"]["rows"] = raw["readings"]["rows"][:1]
    return {**raw, "profiles": {"mini": mini}}


def make(folder: Path) -> Path:
    """Write the project and return its folder."""
    copy_project(folder)
    keep_methods(folder, *METHODS)
    write_parameters(folder, parameters())
    shutil.copytree(ROOT / "splits" / "mini", folder / "splits" / "mini")
    (folder / "results" / "inputs").mkdir(parents=True)
    shutil.copy(ROOT / "results" / "inputs" / "mini.json", folder / "results" / "inputs")
    records = folder / "results" / "records" / "mini"
    records.mkdir(parents=True)
    for name in RECORDS:
        shutil.copy(ROOT / "results" / "records" / "mini" / f"{name}.json", records)
    return folder


def write_parameters(folder: Path, raw: Any) -> None:
    """Write params.yaml."""
    YAML(typ="safe").dump(raw, folder / "params.yaml")
