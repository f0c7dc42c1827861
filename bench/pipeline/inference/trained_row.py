"""Find a trained row, load its weights and classify clips."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from bench.config.paths import Layout, find_root
from bench.config.profile import Config, load_config
from bench.config.schema import Input, Network
from bench.data.formats.checkpoint_file import CheckpointFile
from bench.data.formats.index_file import IndexFile
from bench.data.formats.overlap_file import OverlapFile
from bench.data.input_store import read_classes
from bench.data.reference import published
from bench.data.reference.class_names import key
from bench.data.words.class_vectors import load_class_vectors
from bench.errors import UserError, unknown
from bench.experiments.cell_cache import read_run
from bench.experiments.fingerprint import code_digest
from bench.experiments.method_registry import load, scan
from bench.experiments.plan import TRANSFER, split_file
from bench.experiments.record import Record, Run, cell_name, own_record
from bench.method import Classes, Method, as_tensor_classes, create
from bench.models.similarity import cosine
from bench.pipeline.inference.own_inputs import Own, checked, own_index, vectors_of
from bench.training.cell_inputs import (
    OF_CLASSES,
    imported_weights,
    inputs_of_videos,
    open_cell,
    open_objects,
)
from bench.training.device import prepare
from bench.training.embed import Embedded, embed
from bench.utils.io import DAMAGED


class FoundCell(NamedTuple):
    """A trained cell: its record, what its run says, the file of its weights."""

    record: Record
    run: Run
    weights: Path


def opened(profile: str | None, root: Path | str | None) -> tuple[Config, Layout]:
    """Return the configuration of a profile and where its files are."""
    base = find_root(Path(root) if root else None)
    config = load_config(base, profile)
    return config, Layout(base, config.name)


def default_row(layout: Layout) -> str:
    """Return the method that both published tables contain, the subject of the project."""
    of_ablation, of_comparison = (
        {number.method for number in published() if number.table == table}
        for table in ("ablation", "sota")
    )
    both = sorted(of_ablation & of_comparison & scan(layout.root).keys())
    if len(both) != 1:
        raise UserError("say which row is to classify (method=…, --method …)")
    return both[0]


def find_cell(config: Config, layout: Layout, row: str, seed: int, split: str | None) -> FoundCell:
    """Return the cell of a row; UserError with the remedy if something of it is missing."""
    known = _recorded(layout)
    here = f"profile {layout.profile}"
    if row not in known:
        methods = scan(layout.root)
        if row.partition("+")[0] not in methods:
            raise unknown("method", row, {*methods, *known})
        words = "--readings" if "+" in row else row
        raise UserError(f"{row} has no record in {here}; run 'dvc repro' or 'bench train {words}'")
    splits = sorted({one for one, _ in known[row]}, key=lambda one: (one != TRANSFER, one))
    if split is not None and split not in splits:
        raise unknown(f"training split of {row} in {here}", split, splits)
    chosen = splits[0] if split is None else split
    seeds = sorted(number for one, number in known[row] if one == chosen)
    if seed not in seeds:
        there = ", ".join(map(str, seeds))
        raise UserError(f"{row} has no record of seed {seed} in {here}; seeds there: {there}")
    return _found(config, layout, cell_name(row, chosen, seed))


def _recorded(layout: Layout) -> dict[str, list[tuple[str, int]]]:
    """Return row -> (split, seed) of the records, from their names; a row may have dots."""
    found: dict[str, list[tuple[str, int]]] = {}
    for path in layout.records.glob("*.seed*.json"):
        cell, _, seed = path.stem.rpartition(".seed")
        if cell.endswith(f".{TRANSFER}"):
            row, split = cell.removesuffix(f".{TRANSFER}"), TRANSFER
        else:  # <row>.<data set>.<protocol>.<split>
            row, *parts = cell.rsplit(".", 3)
            split = ".".join(parts)
        if seed.isdigit():
            found.setdefault(row, []).append((split, int(seed)))
    return found


def _found(config: Config, layout: Layout, cell: str) -> FoundCell:
    record = own_record(layout.records / f"{cell}.json")
    if record.status != "ok":
        raise UserError(f"{cell} has no result ({record.status}: {record.reason})")
    sets = config.profile.datasets
    if bare := [name for name in record.data if name in sets and sets[name].kind == "features"]:
        raise UserError(
            f"rows of profile {config.name} take the features of {bare[0]}, not videos; choose a "
            "profile of videos"
        )
    folder = layout.runs / cell
    shown = f"runs/{layout.profile}/{cell}"
    again = f"'dvc pull' (where a remote is set) or 'bench train {record.row}' brings it"
    if record.reading:
        again = "'dvc pull' (where a remote is set) or 'bench train --readings' brings it"
    run = read_run(folder)
    if run is None:
        raise UserError(f"{shown} is not here, only its record is; {again}")
    if run.fingerprint != record.fingerprint:
        raise UserError(f"{shown} is not what the record tells of; run 'bench stage score'")
    if "checkpoint" in record.reading:
        weights = layout.checkpoints / f"{record.reading['checkpoint']}.safetensors"
        again = "import the checkpoint again ('bench checkpoint import')"
    else:
        weights = folder / "model.safetensors"
    if not weights.is_file():
        if record.parameters.get("train") and weights.name not in run.files:
            again = f"profile {layout.profile} keeps no models (train.keep_model in params.yaml)"
        raise UserError(f"{weights} is missing; {again}")
    return FoundCell(record, run, weights)


if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]
NOT_PROBABILITIES = (
    "no probabilities: they rank these names and do not say whether any of them fits"
)


class Trained:
    """A trained row. ``record`` is what its training left, ``seen`` its training classes.

    ``note`` is what has changed in the code since then, "" if nothing has.
    """

    def __init__(self, config: Config, layout: Layout, found: FoundCell) -> None:
        self.record: Record = found.record
        self.note = changed(layout, found.record)
        self._config, self._layout = config, layout
        self._given: Mapping[str, str] = found.run.parameters["inputs"]
        self._folder = TemporaryDirectory(prefix="bench-own-")  # goes when the object goes
        self._own = Own(config, layout, found.record.row, Path(self._folder.name))
        self._input, network = settings_of(found)
        with self._computing() as device:
            self._seen = seen_classes(config, layout, found, device)
            self._method = built(layout, found, network, self._seen, device)

    @property
    def parameters(self) -> dict[str, Any]:
        """What it was trained with, resolved: method, train, input, network, inputs."""
        return self.record.parameters

    @property
    def seen(self) -> list[str]:
        """The training classes; an imported checkpoint only tells how many there are."""
        return list(self._seen.names)

    def embed_videos(self, paths: Sequence[Path | str] | Path | str) -> Array:
        """Return float32 [N,D] of N video files; UserError for the first that cannot be read."""
        listed = [paths] if isinstance(paths, (str, Path)) else list(paths)
        if not listed:
            raise UserError("no videos to embed; give at least one path")
        with self._computing():
            return self._embedded(listed, self._seen).arrays["video"]

    def embed_classes(self, classes: "Sequence[str] | Array") -> Array:
        """Return float32 [K,D] of K class names, or of class vectors [K,W].

        Raises UserError for a name whose words have no vector, a duplicate name, or
        vectors of another width. A method may embed a class differently among other classes.
        """
        with self._computing() as device, torch.inference_mode():
            own = self._own_classes(classes, device)
            found: Array = self._method.embed_class(own).float().cpu().numpy()
            return found

    def classify(
        self, video: Path | str, classes: Sequence[str], top: int | None = None
    ) -> "pd.DataFrame":
        """Return the ``top`` classes (default: all), best first: class, similarity, seen.

        The similarity is the cosine of the two embeddings, or the method's own score where it has
        one (``attrs["score"]`` says which); neither is a probability. ``seen`` marks names that
        are training classes, for which this is no zero-shot test.
        """
        import pandas as pd

        names = checked(classes)
        if top is not None and top < 1:
            raise UserError(f"top is {top}; give 1 or more")
        with self._computing() as device:
            found = self._embedded([video], self._own_classes(names, device)).arrays
        own = "score" in found
        scores = found["score"] if own else cosine(found["video"], found["class"])  # type: ignore[arg-type]
        seen = {key(name) for name in self.seen}
        rows = {"class": names, "similarity": scores[0], "seen": [key(n) in seen for n in names]}
        frame = pd.DataFrame(rows).sort_values("similarity", ascending=False, kind="stable")
        frame.index = pd.RangeIndex(1, len(frame) + 1, name="rank")
        frame.attrs = {
            "video": str(video),
            "row": str(self),
            "cell": self.record.cell,
            "score": "the method's own score" if own else "cosine",
            "note": NOT_PROBABILITIES,
        }
        return frame.head(top) if top else frame

    def __str__(self) -> str:
        one = self.record
        return f"{one.label}, seed {one.seed}, split {one.split}, profile {one.profile}"

    def __repr__(self) -> str:
        return f"<{self}>"

    @contextmanager
    def _computing(self) -> Iterator[torch.device]:
        """Compute as training did; afterwards torch has the caller's settings again."""
        threads = torch.get_num_threads()
        exact = torch.are_deterministic_algorithms_enabled()
        try:
            yield prepare(self._config.profile.train.device)
        finally:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(exact)
            torch.set_flush_denormal(False)

    def _embedded(self, paths: Sequence[Path | str], classes: Classes) -> Embedded:
        index = own_index(paths, self._input)
        sources = self._own.sources(self._method, list(self._given), self._input, index)
        rows = range(len(index.paths))
        try:
            found = embed(self._method, sources, index.paths, rows, [0] * len(rows), classes)
        except FloatingPointError as error:
            raise UserError(f"{self.record.cell}: {error}") from None
        for path, reason in found.failed.items():
            raise UserError(f"video {path}: {reason}")
        return found

    def _own_classes(self, classes: "Sequence[str] | Array", device: torch.device) -> Classes:
        wanted = [name for name in OF_CLASSES if name in self._given]
        if isinstance(classes, np.ndarray) and classes.dtype.kind in "fiu":
            width = self._seen.vectors.shape[1]
            if classes.ndim != 2 or classes.shape[1] != width or not len(classes):
                raise UserError(f"class vectors are {list(classes.shape)}; give [K,{width}]")
            if wanted:
                raise UserError(f"{self.record.row} needs {wanted[0]} of classes: give their names")
            return as_tensor_classes([f"class {i}" for i in range(len(classes))], classes, device)
        names = checked(
            [str(name) for name in classes] if not isinstance(classes, str) else classes
        )
        vectors = vectors_of(names, self._config, self._layout)
        more = {name: self._own.of_classes(name, names) for name in wanted}
        return as_tensor_classes(names, vectors, device, more)


def settings_of(found: FoundCell) -> tuple[Input, Network]:
    """Return the input and the network that a cell was trained with."""
    parameters = found.run.parameters
    try:
        network = Network.model_validate(parameters["network"])
        return Input.model_validate(parameters["input"]), network
    except ValidationError as error:
        where = f"runs/{found.record.profile}/{found.record.cell}/run.json"
        raise UserError(f"{where}: damaged ({error.errors()[0]['msg']})") from None


def seen_classes(config: Config, layout: Layout, found: FoundCell, device: torch.device) -> Classes:
    """Return the training classes as the method was built with."""
    record, given = found.record, found.run.parameters["inputs"]
    if "checkpoint" in record.reading:  # only the number of its classes is known
        facts = CheckpointFile.read(found.weights.with_suffix(".json"))
        names = [f"class {i}" for i in range(facts.classes if facts else 0)]
        vectors = load_class_vectors(layout.words, config.profile.transfer_sets()[0])
        width = len(next(iter(vectors.values())))
        return as_tensor_classes(names, np.zeros((len(names), width)), device)
    dataset = _trained_on(config, record)
    names = _names(layout, found, dataset)
    vectors = load_class_vectors(layout.words, dataset)
    if lost := [name for name in names if name not in vectors]:
        raise UserError(f"training class '{lost[0]}' has no vector; run 'bench stage words'")
    more = {}
    if "seen" in found.run.embedded:  # otherwise nothing was trained
        index = IndexFile.read(layout.index / f"{dataset}.json")
        listed = index.classes if index else []
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
    if "seen" in found.run.embedded:
        return list(found.run.embedded["seen"].names)
    if found.record.split == TRANSFER:
        return OverlapFile.require(layout.splits / "overlap.json").kept
    _, protocol, draw = found.record.split.split(".", 2)
    splits = split_file(layout, dataset, protocol).splits
    return next((list(one["seen"]) for one in splits if one["name"] == draw), [])


def built(
    layout: Layout, found: FoundCell, network: Network, seen: Classes, device: torch.device
) -> Method:
    """Return the method in eval mode with its weights; UserError if they are not its own."""
    record, given = found.record, found.run.parameters["inputs"]
    file = scan(layout.root).get(record.method)
    if file is None:
        raise UserError(f"methods/{record.method}.py is gone; restore it from git")
    method = create(load(file), found.run.parameters["method"])
    read = inputs_of_videos(method, given)
    dims = {name: _dim(layout, name, found, network, method) for name in read}
    if "clips" in dims:
        dims["video"] = dims.pop("clips")
    objects = open_objects(layout, given, device)
    state = _weights(found)
    with torch.random.fork_rng():  # building draws the weights that are replaced
        open_cell(method, network, seen, dims, objects)
    shapes = {name: one.shape for name, one in method.state_dict().items()}
    if shapes != {name: one.shape for name, one in state.items()}:
        raise UserError(
            f"{found.weights}: not the weights of the present methods/{record.method}.py; "
            f"run 'bench train {record.row}'"
        )
    method.load_state_dict(state)
    return method.to(device).eval()


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
    try:
        if "checkpoint" in found.record.reading:
            return imported_weights(path)[0]
        return load_file(path)
    except (SafetensorError, *DAMAGED) as error:
        raise UserError(f"{path}: damaged ({error}); run 'bench train'") from None


def changed(layout: Layout, record: Record) -> str:
    """Return what has changed in the code since a cell was trained, "" if nothing has."""
    root = layout.root
    file = scan(root).get(record.method)
    now = {f"methods/{record.method}.py": file and not file.problem and ("source", file.path)}
    now |= {"the training code": ("core", root / "bench" / "training" / "run_cell.py")}
    other = [
        what
        for what, where in now.items()
        if where and code_digest(where[1], root) != record.parts.get(where[0])
    ]
    if not other:
        return ""
    return (
        f"{record.cell} is outdated: {' and '.join(other)} changed since it was trained; "
        "'dvc repro' trains it again"
    )
