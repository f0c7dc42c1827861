"""The record: what one cell (method × seed × training split) left behind, as one JSON file.

This module is the documentation of the schema. Records live in
``results/records/<profile>/<row>.<split>.seed<k>.json`` and are written whole or not at all.
Accuracies are in percent of videos, closeness and dispersion are cosine distances.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from bench.errors import UserError
from bench.files import dump_json, parsed_json, write_text

VERSION = 1
Status = Literal["ok", "failed", "broken", "missing"]


class Coverage(BaseModel):
    """Videos of one data set that a cell should have embedded, and those that it could not."""

    model_config = ConfigDict(extra="forbid")

    digest: str  # of the data set's manifest
    expected: int
    scored: int
    failed: dict[str, str] = {}  # path -> reason


class Record(BaseModel):
    """One cell. ``status``: ok; failed (it raised or diverged); broken (its file cannot be
    imported); missing (an input that it needs is not there). All but ok carry a ``reason``.
    """

    model_config = ConfigDict(extra="forbid")

    version: int = VERSION
    profile: str
    row: str  # method name, or "method+parameter=value" for an alternative reading
    method: str
    reading: dict[str, Any] = {}  # parameters that differ from the method's defaults
    label: str
    split: str  # training split: "transfer", or "<data set>.<protocol>.<split>"
    seed: int
    status: Status
    reason: str = ""

    fingerprint: str = ""
    parts: dict[str, str] = {}  # what the fingerprint was made of: source, core, parameters, ...
    parameters: dict[str, Any] = {}  # resolved: method, train, input, backbone, words
    git_commit: str = ""
    git_dirty: bool = False
    environment: dict[str, str] = {}  # python, torch, cuda, av, numpy, device, cpu
    started: str = ""  # UTC, ISO 8601
    wall_s: float = 0.0
    cpu_s: float = 0.0
    world_size: int = 1
    effective_batch: int = 0
    steps: int = 0
    checkpoint: Literal["last", "best_on_test"] = "last"
    losses: dict[str, float] = {}  # named parts of the loss, mean over the last logged interval
    coverage: dict[str, Coverage] = {}  # per data set; of listed videos "<data set>.official3"

    metrics: dict[str, float] = {}  # "<data set>.<protocol>.<metric>", mean over the splits
    metrics_best_on_test: dict[str, float] = {}  # the same, of the checkpoint chosen on test data
    per_split: dict[str, dict[str, float]] = {}  # "<ds>.<protocol>.<metric>" -> split -> value
    per_class: dict[str, dict[str, tuple[int, int]]] = {}  # "<ds>.<protocol>" -> class: n, right
    split_digests: dict[str, str] = {}  # "<data set>.<protocol>" -> hash of the split file

    @property
    def cell(self) -> str:
        """The cell's name, also the name of its file."""
        return cell_name(self.row, self.split, self.seed)


def cell_name(row: str, split: str, seed: int) -> str:
    """Name a cell: ``aurl.transfer.seed0``."""
    return f"{row}.{split}.seed{seed}"


def write_record(folder: Path, record: Record) -> None:
    """Write one record whole or not at all."""
    write_text(folder / f"{record.cell}.json", dump_json(record.model_dump(mode="json")))


def read_record(path: Path) -> Record:
    """Read one record; a damaged file is a ``UserError`` that names it."""
    try:
        raw = parsed_json(path.read_text(encoding="utf-8"))
        version = raw.get("version")
        if version != VERSION:
            raise ValueError(f"schema version {version}, this program reads {VERSION}")
        return Record.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        reason = f"{where}: {first['msg']}"
    except (ValueError, AttributeError, OSError) as error:
        reason = str(error)
    raise UserError(
        f"{path}: not a valid record ({reason}); delete it and run 'bench stage score', "
        "or restore it from git"
    )


def read_records(folder: Path) -> list[Record]:
    """Read every record of a folder, sorted by name; an absent folder holds none."""
    return [read_record(path) for path in sorted(folder.glob("*.json"))]
