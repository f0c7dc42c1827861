"""What one cell (method × seed × training split) leaves behind: run.json, failures and the record.

``Cell`` holds what the three have in common. ``docs/record.md`` documents the record,
``docs/record.schema.json`` is made from the classes below by ``bench record schema``. Records live
in ``results/records/<profile>/<cell>.json``; the last key of each file, ``checksum``, is the digest
of the others (``bench.utils.io.unsealed``).
"""

import difflib
import re
from pathlib import Path
from typing import (
    Any,
    ClassVar,
    Literal,
    NotRequired,  # pydantic needs these before Python 3.12
    Self,
)

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)
from typing_extensions import TypedDict

from bench.data.formats.json_file import Entry, JsonFile, first_error
from bench.errors import UserError, unknown
from bench.utils.bitstrings import unpack
from bench.utils.io import dump_json, dump_sealed, parsed_json, unsealed, write_text

VERSION = 3
Status = Literal["ok", "failed", "broken", "missing"]
_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class Coverage(BaseModel):
    """Videos of one data set that a cell should have embedded, and those that it could not."""

    model_config = _STRICT

    digest: str
    """Hash of the data set's manifest."""
    expected: int
    """Videos that should have been embedded."""
    scored: int
    """Videos that were."""
    failed: dict[str, str] = {}
    """The others: path -> reason."""


class Speed(BaseModel):
    """How fast a training by steps was, in the process that wrote the record; not of its start."""

    model_config = _STRICT

    clips_per_s: float
    """Videos of a batch, over all processes, that were trained a second."""
    step_s: float
    """Seconds of a step."""
    shares: dict[str, float]
    """Parts of a step that sum to 1: read (wait for the reader), copy (to the device, normalised),
    forward, backward, update; on a GPU of every fiftieth step."""
    memory_mb: int
    """The most memory that the process held, in MiB."""
    gpu_memory_mb: int = 0
    """The most of the GPU's."""


class Cell(BaseModel):
    """One cell: a method, or an alternative reading of it, with one seed on one training split."""

    model_config = ConfigDict(allow_inf_nan=False, use_attribute_docstrings=True)

    version: int = VERSION
    """Version of the schema."""
    profile: str = ""
    row: str
    """The method's name, or "method+parameter=value" for an alternative reading."""
    method: str
    """Name of the file in methods/."""
    reading: dict[str, Any] = {}
    """Parameters in which a reading differs from the method's defaults."""
    label: str
    """The row's name in tables."""
    split: str
    """Training split: "transfer", or "<data set>.<protocol>.<split>"."""
    seed: int
    """Seed of every random number of the cell."""
    status: Status = "ok"
    reason: str = ""
    """Of every status but ok: why."""

    fingerprint: str = ""
    """Hash of the parts, the seed and the training split: of all that decides the outcome."""
    parts: dict[str, str] = {}
    """What the fingerprint was made of, each a hash: core, source, method, settings, data, words,
    split, tests, checkpoint, "input <name>"."""
    parameters: dict[str, Any] = {}
    """Resolved: method, train, input, network, inputs; checkpoint, if one was imported."""
    git_commit: str = ""
    """The commit that was checked out."""
    git_dirty: bool = False
    """Whether bench/, methods/ or params.yaml had changes beside it."""
    environment: dict[str, str] = {}
    """Versions of Python and libraries, device, type of CPU, threads."""
    started: str = ""
    """UTC, ISO 8601."""
    wall_s: float = 0.0
    """Seconds on the clock, of training and embedding."""
    cpu_s: float = 0.0
    """Seconds of processor time."""
    world_size: int = 1
    """Processes that trained together."""
    effective_batch: int = 0
    """Videos of one step over all of them; 0 where nothing is trained by steps."""
    micro_batches: int = 1
    """Parts in which a batch passed the backbone, for want of memory."""
    speed: Speed | None = None
    """None where nothing is trained by steps, or too few to tell."""
    steps: int = 0
    """Steps of training."""
    checkpoint: Literal["last", "best_on_test"] = "last"
    """Which checkpoint the metrics are of."""
    best_on_test_step: int = 0
    """The step that metrics_best_on_test is of; 0: none was looked for."""
    losses: dict[str, float] = {}
    """Named parts of the loss, mean over the last logged interval."""
    training_videos: dict[str, int] = {}
    """Videos of the training split: expected, and used (the rest cannot be read)."""

    @property
    def cell(self) -> str:
        """The cell's name, also the name of its folder in runs/ and of its record."""
        return cell_name(self.row, self.split, self.seed)


class _Parameters(TypedDict):
    """The values of ``Run.parameters`` on which scoring and inference rely."""

    method: dict[str, Any]
    train: dict[str, Any]
    input: dict[str, Any]
    network: dict[str, Any]
    inputs: dict[str, str]
    checkpoint: NotRequired[dict[str, Any]]


class EmbeddedClasses(Entry):
    """Classes in the order of their embeddings, and the videos that could not be embedded."""

    names: list[str]
    expected: int
    failed: dict[str, str]


class Run(Cell, JsonFile):
    """``runs/<profile>/<cell>/run.json``: a finished training, before it is scored."""

    stage: ClassVar[str] = "train"

    machine: dict[str, str] = {}
    """Type of CPU and versions of the decoders; the record has them in ``environment``."""
    digests: dict[str, str]
    """Data set -> hash of its manifest."""
    embedded: dict[str, EmbeddedClasses]
    """By tested data set, and "seen" for the classes of the training."""
    files: dict[str, str]
    """Digests of the other files of the folder."""

    @field_validator("parameters")
    @classmethod
    def _known_parameters(cls, value: dict[str, Any]) -> dict[str, Any]:
        return dict(TypeAdapter(_Parameters).validate_python(value))


class Failure(Cell, Entry):
    """An entry of ``runs/<profile>/failures.json``."""

    machine: dict[str, str] = {}


class FailuresFile(JsonFile, RootModel[dict[str, Failure]]):
    """``runs/<profile>/failures.json``: cell -> how its last training failed."""

    stage: ClassVar[str] = "train"


class Record(Cell):
    """The record of a cell: its facts and its metrics."""

    model_config = _STRICT

    version: int = Field(default=VERSION, ge=VERSION, le=VERSION)
    """Version of the schema."""
    profile: str
    """The profile of params.yaml."""
    status: Status
    """ok; failed (it raised or diverged); broken (its file cannot be imported); missing (an input
    that it needs is not there)."""
    decoder: str = ""
    """What decoded the videos, with its version; empty where the data are features."""
    data: dict[str, str] = {}
    """Data set -> hash of its manifest, of all that the cell was trained or tested on."""
    coverage: dict[str, Coverage] = {}
    """By tested data set; of a protocol that lists videos by "<data set>.<protocol>"."""
    split_digests: dict[str, str] = {}
    """By "<data set>.<protocol>": hash of the split file."""
    embeddings: dict[str, str] = {}
    """Data set, or "seen" -> hash of its embeddings, labels and scores, bit for bit."""

    metrics: dict[str, float] = {}
    """By "<data set>.<protocol>.<metric>": mean over the splits. Accuracies are in percent,
    closeness and dispersion are cosine distances."""
    metrics_best_on_test: dict[str, float] = {}
    """The same of the checkpoint that was chosen on test data, if one was looked for."""
    per_split: dict[str, dict[str, float]] = {}
    """The same, split -> value, of protocols with more than one split."""
    per_class: dict[str, dict[str, tuple[int, int]]] = {}
    """By "<data set>.<protocol>": class -> videos, right; of protocols with one split."""
    videos: dict[str, dict[str, int]] = {}
    """By "<data set>.<protocol>": split -> videos that were scored, which is the bits of right."""
    right: dict[str, dict[str, str]] = {}
    """By "<data set>.<protocol>": split -> a bit for each scored video, 1 where it was classified
    right, in the order of the data set's index, as hexadecimal digits
    (bench/utils/bitstrings.py)."""

    @model_validator(mode="after")
    def _metrics_say_of_what(self) -> Self:
        for name in ("metrics", "metrics_best_on_test", "per_split"):
            for key in getattr(self, name):
                if len(key.split(".")) < 3:
                    raise ValueError(f"{name}: '{key}' is no <data set>.<protocol>.<metric>")
        return self

    @model_validator(mode="after")
    def _bits_are_counted(self) -> Self:
        for scope, texts in self.right.items():
            counts = self.videos.get(scope, {})
            if counts.keys() != texts.keys():
                raise ValueError(f"right.{scope}: not of the splits of videos.{scope}")
            for split, text in texts.items():
                try:
                    unpack(text, counts[split])
                except ValueError as error:
                    raise ValueError(f"right.{scope}.{split}: {error}") from None
        return self


def cell_name(row: str, split: str, seed: int) -> str:
    """Name a cell: ``aurl.transfer.seed0``."""
    return f"{row}.{split}.seed{seed}"


def schema() -> str:
    """Return the JSON schema of a record, as docs/record.schema.json has it."""
    dialect = "https://json-schema.org/draft/2020-12/schema"
    found = Record.model_json_schema()
    about = "Digest of the other keys, as bench.files.dump_sealed makes it."
    found["properties"]["checksum"] = {"description": about, "type": "string"}
    return dump_json({"$schema": dialect} | found)


def write_record(folder: Path, record: Record) -> None:
    """Write one record whole or not at all, with its checksum, a pair of counts on one line."""
    text = dump_sealed(record.model_dump(mode="json"))
    pairs = re.sub(r"\[\n +(\d+),\n +(\d+)\n +\]", r"[\1, \2]", text)
    write_text(folder / f"{record.cell}.json", pairs)


def read_record(path: Path) -> Record:
    """Read one record; UserError if it is damaged or of another version of the schema."""
    try:
        raw = unsealed(parsed_json(path.read_text(encoding="utf-8")))
        version = raw.get("version")
        if type(version) is not int or version < 1:
            raise ValueError(f"schema version {version!r}")
        if version != VERSION:
            raise UserError(
                f"{path}: a record of schema version {version}; this program reads version "
                f"{VERSION}; delete it and run 'bench stage score', or check out the commit of it"
            )
        return Record.model_validate(raw)
    except ValidationError as error:
        reason = first_error(error)
    except (ValueError, AttributeError, TypeError, KeyError, OSError, RecursionError) as error:
        reason = str(error)
    raise UserError(
        f"{path}: not a valid record ({reason}); delete it and run 'bench stage score', "
        "or restore it from git"
    )


def own_record(path: Path) -> Record:
    """Read the record of a cell in its profile's folder; UserError for that of another name."""
    record = read_record(path)
    if (record.profile, record.cell) != (path.parent.name, path.stem):
        raise UserError(
            f"{path}: a copy of the record {record.profile}/{record.cell}; delete it, or restore "
            "the one of this name from git"
        )
    return record


def read_records(folder: Path) -> list[Record]:
    """Read every record of a profile's folder, sorted by name; an absent folder holds none."""
    return [own_record(path) for path in sorted(folder.glob("*.json"))]


def record_path(folder: Path, cell: str, profile: str) -> Path:
    """Return the record of a cell in a profile's folder; UserError with a hint if there is none."""
    path = folder / f"{cell}.json"
    if "/" not in cell and path.is_file():  # a slash would lead to another folder
        return path
    known = sorted(one.stem for one in folder.glob("*.json"))
    if not known:
        raise UserError(f"profile {profile} has no records; run 'dvc repro'")
    of_row = [name for name in known if name.startswith(f"{cell}.")]
    if of_row:
        more = f" and {len(of_row) - 3} more" if len(of_row) > 3 else ""
        raise UserError(f"'{cell}' is a row, not a cell; its cells: {', '.join(of_row[:3])}{more}")
    close = difflib.get_close_matches(cell, known, n=1, cutoff=0.6)
    rows = {name.split(".")[0] for name in known}
    if close and difflib.get_close_matches(cell.split(".")[0], rows, n=1, cutoff=0.6):
        raise unknown(f"cell of profile {profile}", cell, close)
    raise UserError(
        f"unknown cell of profile {profile} '{cell}'; cells have names like '{known[0]}', and "
        "'bench status' lists the rows"
    )
