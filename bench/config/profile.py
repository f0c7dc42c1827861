"""Read and validate params.yaml: a profile, with the overrides above it applied."""

import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from bench.config.schema import Input, Inputs, Network, Settings, Train
from bench.errors import UserError, nearest, unknown
from bench.typing import Count, Natural

# Trained once on `train_on`; each of them tests classes or videos of the same embeddings.
TRANSFER = ("full", "half10", "official3", "k220")
# One model a split, trained on the split's seen classes of the same data set.
PER_SPLIT = ("fifty-fifty", "gzsl", "truze", "truze67")
ONE_SPLIT = ("truze", "truze67")  # of PER_SPLIT: repeated over seeds, there are no draws
PROTOCOLS = (*TRANSFER, *PER_SPLIT)
Protocol = Literal["full", "half10", "official3", "k220", "fifty-fifty", "gzsl", "truze", "truze67"]


def named(dataset: str) -> str:
    """Return the name of a data set; ValueError if it cannot be part of file and metric names."""
    if not re.fullmatch(r"[\w-]+", dataset):
        raise ValueError(f"data set '{dataset}': a name has letters, digits, '-' and '_' only")
    return dataset


def _once(what: str, given: Iterable[str]) -> None:
    """Raise ValueError for duplicates: the statistics would count one result twice."""
    known: set[str] = set()
    for one in given:
        if one in known:
            raise ValueError(f"{what} {one} is listed twice; remove one")
        known.add(one)


class DataSet(Settings):
    """How a data set is described in params.yaml.

    ``videos``: the embedded world (``generate: world``), or files under ``root`` listed by a
    ``manifest`` (the .parquet of ``bench data index``, or a .csv) or found as class folders.
    ``features``: ``file`` is an .npz or .parquet of pre-extracted features [N,D] and labels;
    ``keys`` names its arrays (columns), ``classes`` the names of integer labels.
    ``use`` takes only these parts of a data set whose folders or lists say train, val or test.
    ``lists``: folder, .zip or .tar(.gz) of the official test lists, for protocol official3.
    """

    kind: Literal["videos", "features"]
    generate: Literal["world"] | None = None
    root: Path | None = None
    manifest: Path | None = None
    use: tuple[Literal["train", "val", "test"], ...] = ()
    file: Path | None = None
    keys: dict[Literal["features", "labels", "ids"], str] = {}
    classes: tuple[str, ...] | None = None
    lists: Path | None = None
    protocols: tuple[Protocol, ...] = ()

    @model_validator(mode="after")
    def _has_a_source(self) -> "DataSet":
        _once("protocol", self.protocols)
        if self.kind == "features" and self.file is None:
            raise ValueError("a data set of kind features needs 'file: PATH'")
        if self.kind == "videos" and not (self.generate or self.root):
            raise ValueError("a data set of kind videos needs 'root: FOLDER'")
        if "official3" in self.protocols and self.lists is None:
            raise ValueError("protocol official3 needs 'lists: FOLDER OR ARCHIVE' of test lists")
        return self


class Words(Settings):
    """Where class vectors come from.

    ``corpus``: trained on the embedded world's sentences. ``word2vec``: ``file`` is a .bin, .bin.gz
    or text file of word vectors. ``class_vectors``: ``files`` maps data set to an .npz with
    ``names`` and ``vectors`` [K,D], which are L2-normalised; ``vectors`` may name a file of word
    vectors beside them, for the words of definitions and objects.
    """

    kind: Literal["corpus", "word2vec", "class_vectors"]
    file: Path | None = None
    files: dict[str, Path] = {}
    vectors: Path | None = None


class FiftyFifty(Settings):
    """Draws of the protocols fifty-fifty and gzsl: N random ones, or the first N of a ``file`` or
    of a ``published`` list (xu50: the 50 of Xu et al., IJCV 2017).
    """

    draws: Count = 50
    seed: Natural = 0
    file: Path | None = None
    published: Literal["xu50"] | None = None

    @model_validator(mode="after")
    def _has_one_source(self) -> "FiftyFifty":
        if self.file and self.published:
            raise ValueError("give 'file' or 'published', not both")
        return self


class Schedule(Train):
    """The block `train` with the checks that must not be part of every cell's fingerprint."""

    @field_validator("seeds")
    @classmethod
    def _each_is_a_training(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        _once("seed", map(str, seeds))
        return seeds


class Own(Settings):
    """Values of a method in the blocks `input` and `train` that replace the profile's."""

    input: dict[str, Any] = {}
    train: dict[str, Any] = {}


class Profile(Settings):
    """One complete setting: data, words, protocols, inputs, network, schedule.

    ``own``: method -> its own input and schedule, e.g. the published ones of a system.
    ``pretrained``: input -> training data of the network behind it, for `bench audit`: kinetics400,
    imagenet1k, coco, web, nothing, … or a .txt of class names.
    """

    title: str
    embedded: bool = False  # a generated data set: its numbers say nothing about the paper
    datasets: dict[str, DataSet]
    train_on: str | None = None
    pretrain_on: str | None = None
    words: Words
    tau: float = Field(default=0.05, ge=0, allow_inf_nan=False)
    fifty_fifty: FiftyFifty = FiftyFifty()
    input: Input = Input()
    network: Network = Network()
    train: Schedule = Schedule()
    inputs: Inputs = Inputs()
    own: dict[str, Own] = {}
    pretrained: dict[Literal["features", "objects", "boxes", "clip"], tuple[str, ...]] = {}

    @field_validator("datasets")
    @classmethod
    def _are_named(cls, datasets: dict[str, DataSet]) -> dict[str, DataSet]:
        return {named(name): described for name, described in datasets.items()}

    @model_validator(mode="after")
    def _names_exist(self) -> "Profile":
        for name in (self.train_on, self.pretrain_on):
            if name is not None and name not in self.datasets:
                raise ValueError(str(unknown("data set", name, self.datasets)))
        tested = [self.datasets[name].kind for name in self.transfer_sets()]
        if self.train_on is None and "features" in tested:  # imported checkpoints take videos
            raise ValueError(f"protocols {', '.join(TRANSFER)} need 'train_on: DATA SET'")
        return self

    @model_validator(mode="after")
    def _own_blocks_fit(self) -> "Profile":
        for name in self.own:
            try:
                self.train_of(name), self.input_of(name)
            except ValidationError as error:
                first = error.errors()[0]
                where = ".".join(map(str, first["loc"]))
                message = first["msg"].removeprefix("Value error, ")
                raise ValueError(f"own.{name}: {where}: {message}") from None
        return self

    def train_of(self, method: str) -> Train:
        """Return the schedule of a method: the profile's, with the method's own values."""
        own = self.own.get(method, Own()).train
        return Schedule.model_validate(self.train.model_dump() | own) if own else self.train

    def input_of(self, method: str) -> Input:
        """Return the block `input` of a method: the profile's, with the method's own values."""
        own = self.own.get(method, Own()).input
        return Input.model_validate(self.input.model_dump() | own) if own else self.input

    def transfer_sets(self) -> list[str]:
        """Data sets that a model trained on ``train_on`` is tested on."""
        return [n for n, d in self.datasets.items() if set(d.protocols) & set(TRANSFER)]

    def per_split(self) -> list[tuple[str, str]]:
        """Return the (data set, protocol) pairs that train a model for every split."""
        sets = self.datasets.items()
        return [(n, p) for n, d in sets for p in d.protocols if p in PER_SPLIT]


def row_id(method: str, reading: Mapping[str, Any]) -> str:
    """Name a row: the method, or ``method+parameter=value`` for an alternative reading."""
    values = {k: str(v).lower() if isinstance(v, bool) else str(v) for k, v in reading.items()}
    return "+".join([method, *(f"{k}={v}" for k, v in sorted(values.items()))])


class Reading(Settings):
    """An alternative reading of a method: the parameters that differ from its defaults."""

    method: str
    set: dict[str, Any] = Field(min_length=1)

    @property
    def row(self) -> str:
        """The name of its row."""
        return row_id(self.method, self.set)


class Readings(Settings):
    """The alternative readings that `bench table --which readings` shows."""

    run: bool = False
    rows: tuple[Reading, ...] = ()

    @model_validator(mode="after")
    def _each_is_a_row(self) -> "Readings":
        _once("reading", (one.row for one in self.rows))
        return self


class Config(Settings):
    """The configuration of one profile."""

    name: str
    profile: Profile
    methods: dict[str, dict[str, Any]] = {}
    readings: Readings = Readings()
    only: tuple[str, ...] = ()  # methods or rows that the stage train is limited to

    @field_validator("methods", mode="before")
    @classmethod
    def _without_defaults(cls, methods: Any) -> Any:
        """Drop parameters that are null: they keep the default and are named for `dvc exp run -S`.

        A method with only nulls is dropped, since its file may be deleted.
        """
        if not isinstance(methods, dict):
            return methods
        given = {
            name: {k: v for k, v in one.items() if v is not None} if isinstance(one, dict) else one
            for name, one in methods.items()
        }
        return {name: one for name, one in given.items() if one or not methods[name]}


DAMAGED_YAML = (YAMLError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError)
_TOP = ("profile", "train", "tau", "methods", "only", "readings", "profiles")


def load_config(root: Path, profile: str | None = None) -> Config:
    """Read ``root/params.yaml``; ``profile`` replaces the one in the file.

    Raises UserError with the key, what is wrong with it and the nearest known name.
    """
    raw, path = read_parameters(root), root / "params.yaml"
    name = profile or str(raw.get("profile"))
    if name not in raw["profiles"]:
        raise unknown("profile", name, raw["profiles"])
    block = raw["profiles"][name]
    if not isinstance(block, dict):
        raise UserError(f"{path}: profiles.{name} is not a block of parameters")
    block = dict(block)
    above, own = raw.get("train") or {}, block.get("train") or {}
    for where, value in (("train", above), (f"profiles.{name}.train", own)):
        if not isinstance(value, dict):
            raise UserError(f"{path}: {where} is not a block of parameters")
    overrides = {k: v for k, v in above.items() if v is not None}
    block["train"] = {**own, **overrides}
    if isinstance(block.get("own"), dict):
        block["own"] = {name: _without(one, overrides) for name, one in block["own"].items()}
    if raw.get("tau") is not None:
        block["tau"] = raw["tau"]
    values = {"name": name, "profile": block}
    values |= {k: raw[k] for k in ("methods", "readings", "only") if raw.get(k) is not None}
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise UserError(f"{path}: {_first(error, name, overrides)}") from None


def read_parameters(root: Path) -> dict[str, Any]:
    """Return the blocks of ``root/params.yaml`` unchecked.

    Raises UserError if the file is missing, is not valid YAML or has an unknown block.
    """
    path = root / "params.yaml"
    try:
        raw = YAML(typ="safe", pure=True).load(path)
    except FileNotFoundError:
        raise UserError(f"{path} is missing; restore it with 'git checkout params.yaml'") from None
    except RecursionError:
        raise UserError(f"{path} is not valid YAML: nested too deeply") from None
    except DAMAGED_YAML as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(raw, dict) or not isinstance(raw.get("profiles"), dict):
        raise UserError(f"{path}: the block 'profiles' is missing")
    for key in raw:
        if key not in _TOP:
            raise UserError(f"{path}: unknown parameter '{key}'{nearest(str(key), _TOP)}")
    return raw


def _without(own: Any, overrides: Collection[str]) -> Any:
    """Return a method's own block without the values that are set above all profiles."""
    if not isinstance(own, dict) or not isinstance(own.get("train"), dict):
        return own
    return {**own, "train": {k: v for k, v in own["train"].items() if k not in overrides}}


def _first(error: ValidationError, profile: str, overrides: Collection[str]) -> str:
    """Return the first of pydantic's errors as one line; unknown keys come first."""
    found = error.errors()
    first = next((one for one in found if one["type"] == "extra_forbidden"), found[0])
    loc = [str(part) for part in first["loc"]]
    if loc[:2] == ["profile", "train"] and loc[2:3] and loc[2] in overrides:
        del loc[0]
    elif loc[:1] == ["profile"]:
        loc[0] = f"profiles.{profile}"
    where = ".".join(loc)
    if first["type"] == "extra_forbidden":
        known = _fields_at(Config, [str(part) for part in first["loc"][:-1]])
        return f"unknown parameter '{where}'{nearest(loc[-1], known)}"
    message = first["msg"].removeprefix("Value error, ")
    given = first.get("input")
    shown = "" if isinstance(given, (dict, Settings)) else f" (given: {given!r})"
    return f"{where}: {message}{shown}"


def _fields_at(model: type[Settings], loc: list[str]) -> list[str]:
    """Known keys of the block at ``loc``, following nested models, dicts and tuples of models."""
    for part in loc:
        if part not in model.model_fields:
            continue
        inner = model.model_fields[part].annotation
        inner = next(
            (a for a in (inner, *getattr(inner, "__args__", ())) if _is_settings(a)), model
        )
        model = inner
    return list(model.model_fields)


def _is_settings(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Settings)
