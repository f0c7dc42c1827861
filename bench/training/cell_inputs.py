"""The inputs of a cell: readers, classes, the videos to train and test on, batches.

Batches depend only on the seed and the step, so a run that resumes at step k, or reads with another
number of workers, sees the same ones.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from bench.config.paths import Layout
from bench.config.schema import Network
from bench.data.formats.checkpoint_file import CheckpointFile
from bench.data.index import Index
from bench.data.input_store import (
    FeatureReader,
    InputReader,
    read_classes,
    read_objects,
    read_videos,
)
from bench.data.video.clip_reader import CHANGED, ClipReader
from bench.errors import UserError
from bench.method import Batch, Classes, Context, Method, as_tensor_classes
from bench.models.r2plus1d import new_backbone
from bench.training.device import to_device
from bench.training.job import Job
from bench.utils.io import file_digest

OF_VIDEOS = ("features", "objects", "boxes", "clip")
OF_CLASSES = ("texts", "signatures", "clip")
_ORDER, _SAMPLE = 1, 2  # independent streams of random numbers


class MissingInput(Exception):
    """The method needs an input that this profile does not have."""


def open_sources(job: Job, method: Method, index: Index) -> dict[str, InputReader]:
    """Open the readers of a data set's videos: input -> reader."""
    sources: dict[str, InputReader] = {}
    for name in inputs_of_videos(method, job.inputs):
        if name == "clips" and index.kind == "features":
            raise MissingInput(f"needs clips, but data set {index.name} has features only")
        if name == "video" and method.freeze_backbone:
            sources["video"] = _stored(job, "features", index)
        elif name in ("video", "clips"):
            frames = job.layout.scratch / "frames"
            is_clips = index.kind == "videos"
            sources["video"] = (
                ClipReader.open(index, job.input, frames) if is_clips else FeatureReader.open(index)
            )
        else:
            sources[name] = _stored(job, name, index)
    return sources


def _stored(job: Job, name: str, index: Index) -> InputReader:
    if name == "features" and index.kind == "features":
        return FeatureReader.open(index)
    if name not in job.inputs:
        raise MissingInput(f"needs {name}; run 'bench stage inputs'")
    array, failures = read_videos(job.layout.inputs / name, index.name, len(index.paths))
    return FeatureReader(array, index.broken_rows("cannot be decoded") | failures)


def open_classes(
    job: Job, index: Index, names: Sequence[str], vectors: Mapping[str, Any], device: torch.device
) -> Classes:
    """Return some classes of a data set with the method's inputs of classes."""
    chosen = [index.classes.index(name) for name in names]
    own = {
        name: read_classes(job.layout.inputs / name, index.name, len(index.classes))[chosen]
        for name in job.inputs
        if name in OF_CLASSES
    }
    return as_tensor_classes(names, np.stack([vectors[c] for c in names]), device, own)


def open_objects(layout: Layout, inputs: Collection[str], device: torch.device) -> Classes | None:
    """Return the objects that scores, boxes and signatures refer to, None without these inputs."""
    if not {"objects", "boxes", "signatures"} & set(inputs):
        return None
    names, vectors, others = read_objects(layout.inputs / "objects")
    return as_tensor_classes(names, vectors, device, others)


def inputs_of_videos(method: Method, given: Collection[str]) -> list[str]:
    """Return the inputs of videos that a method reads: needed, or wanted and ``given``."""
    wanted = [*method.needs, *(name for name in method.wants if name in given)]
    return [name for name in dict.fromkeys(wanted) if name in (*OF_VIDEOS, "video", "clips")]


def open_cell(
    method: Method,
    network: Network,
    seen: Classes,
    dims: Mapping[str, int],
    objects: Classes | None = None,
) -> Method:
    """Build a method's modules for the seen classes and the inputs that it is given.

    ``dims`` maps input -> last dimension (0 for clips). The only place where a method is set up:
    training, evaluation of stored weights, checks and imports call it.
    """
    backbone, width = new_backbone(network, dims.get("video", 0))
    method.build(Context(seen, dims, network.head, backbone, width, objects))
    return method


def load_weights(method: Method, state: Mapping[str, Tensor], source: str, remedy: str) -> None:
    """Load weights into a method; UserError for a missing tensor or another shape."""
    for name, weight in method.state_dict().items():
        if name not in state or state[name].shape != weight.shape:
            raise UserError(
                f"{source}: shape of {name} does not match the profile's network or word-vector "
                f"size; {remedy}"
            )
    method.load_state_dict(dict(state))


def imported_weights(path: Path) -> tuple[dict[str, Tensor], CheckpointFile]:
    """Return the weights of an imported checkpoint and what its import recorded."""
    facts = CheckpointFile.read(path.with_suffix(".json"))
    if facts is None or not path.is_file() or file_digest(path) != facts.digest:
        raise UserError(f"{path}: changed since its import; import the checkpoint again")
    return load_file(path), facts


def held_out_rows(paths: Collection[str], index: Index) -> set[int]:
    """Return the rows of these videos; UserError for one that is not in the index."""
    place = {path: row for row, path in enumerate(index.paths)}
    lost = [path for path in paths if path not in place]
    if lost:
        raise UserError(
            f"'{lost[0]}' of the splits is not in {index.name}; run 'bench stage splits'"
        )
    return {place[path] for path in paths}


def rows_of(
    index: Index, classes: Sequence[str], without: Collection[int] = ()
) -> tuple[list[int], list[int]]:
    """Return the rows of these classes' videos except ``without``, and their labels."""
    place = {index.classes.index(name): i for i, name in enumerate(classes)}
    left_out = set(without)
    rows = [i for i, y in enumerate(index.labels.tolist()) if y in place and i not in left_out]
    return rows, [place[int(index.labels[i])] for i in rows]


def without_failures(
    rows: Sequence[int], labels: Sequence[int], sources: Mapping[str, InputReader], index: Index
) -> tuple[list[int], list[int]]:
    """Return the rows that every source can read, and their labels; UserError if none is left.

    Also UserError for a video that could be read when it was indexed: trainings of the same
    fingerprint use the same videos.
    """
    changed = {row: why for source in sources.values() for row, why in source.changed.items()}
    if found := changed.keys() & set(rows):
        row = min(found)
        raise UserError(
            f"training video {index.root / index.paths[row]}: {changed[row]}; {CHANGED}"
        )
    failed = {row for source in sources.values() for row in source.failures}
    pairs = [(r, y) for r, y in zip(rows, labels, strict=True) if r not in failed]
    if not pairs:
        raise UserError("no training video can be read")
    return [r for r, _ in pairs], [y for _, y in pairs]


def first_per_class(
    rows: Sequence[int], labels: Sequence[int], count: int
) -> tuple[list[int], list[int]]:
    """Return the first ``count`` rows of each label, and their labels."""
    taken: dict[int, int] = {}
    chosen = []
    for row, label in zip(rows, labels, strict=True):
        taken[label] = taken.get(label, 0) + 1
        if taken[label] <= count:
            chosen.append((row, label))
    return [r for r, _ in chosen], [y for _, y in chosen]


class Batches(Dataset[tuple[dict[str, Tensor], Tensor]]):
    """Item k is step k's batch: inputs [B,1,...] and labels y [B] among the seen classes."""

    def __init__(
        self,
        sources: Mapping[str, InputReader],
        rows: Sequence[int],
        labels: Sequence[int],
        batch: int,
        seed: int,
        part: slice = slice(None),
    ) -> None:
        """``part`` is the share of each batch that this process takes."""
        self._part = part
        self._sources, self._batch, self._seed = sources, batch, seed
        self._rows, self._labels = np.asarray(rows), np.asarray(labels)
        self._orders: dict[int, NDArray[np.int64]] = {}

    @property
    def each(self) -> int:
        """Number of videos of a batch that this process takes."""
        return len(range(self._batch)[self._part])

    def chosen(self, step: int) -> NDArray[np.int64]:
        """Return the places in ``rows`` that a step takes: consecutive parts of shuffled epochs."""
        count = len(self._rows)
        places = step * self._batch + np.arange(self._batch)
        return np.array([self._order(int(p // count))[p % count] for p in places])

    def __getitem__(self, step: int) -> tuple[dict[str, Tensor], Tensor]:
        chosen = self.chosen(step)
        rows = self._rows[chosen].tolist()
        rng = np.random.default_rng([self._seed, _SAMPLE, step])
        part = self._part
        inputs = {name: source.train(rows, rng, part) for name, source in self._sources.items()}
        return inputs, torch.from_numpy(self._labels[chosen[part]])

    def all(self, device: torch.device, size: int = 256) -> Iterator[Batch]:
        """Yield every training video once, in order, read as for a test, ``size`` at a time.

        For closed forms, which sum over all videos: nothing is random.
        """
        for start in range(0, len(self._rows), size):
            rows = self._rows[start : start + size].tolist()
            inputs = {k: to_device(s.test(rows), device) for k, s in self._sources.items()}
            labels = torch.from_numpy(self._labels[start : start + size]).to(device)
            yield Batch(inputs, labels)

    def _order(self, epoch: int) -> NDArray[np.int64]:
        if epoch not in self._orders:
            self._orders.pop(epoch - 2, None)
            rng = np.random.default_rng([self._seed, _ORDER, epoch])
            self._orders[epoch] = rng.permutation(len(self._rows))
        return self._orders[epoch]


def stream(
    batches: Batches, first: int, steps: int, workers: int
) -> Iterator[tuple[dict[str, Tensor], Tensor]]:
    """Yield the batches of steps ``first`` … ``steps`` − 1, read ahead by ``workers`` processes."""
    if workers == 0:
        yield from (batches[step] for step in range(first, steps))
        return
    loader = DataLoader(
        _Caught(batches),
        batch_size=None,
        sampler=range(first, steps),
        num_workers=workers,
        multiprocessing_context="spawn",
        pin_memory=torch.cuda.is_available(),
        generator=torch.Generator(),  # else it draws from the one that training draws from
    )
    for batch in loader:
        if isinstance(batch, UserError):
            raise batch
        yield batch


class _Caught(Dataset[tuple[dict[str, Tensor], Tensor] | UserError]):
    """Returns a UserError instead of raising it: from a worker it would come as a traceback."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches

    def __getitem__(self, step: int) -> tuple[dict[str, Tensor], Tensor] | UserError:
        try:
            return self._batches[step]
        except UserError as error:
            return error
