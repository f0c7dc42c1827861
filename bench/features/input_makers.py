"""How stage ``inputs`` makes each input for one data set.

A maker raises NotDescribed if the profile does not describe its input, and Unavailable if this data
set cannot have it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from bench.config.paths import Layout
from bench.config.profile import Config
from bench.config.schema import Objects
from bench.data.index import Index, read_index
from bench.data.input_store import (
    failed_videos,
    is_current,
    write_classes,
    write_objects,
    write_videos,
)
from bench.data.reference.class_names import key as spelling
from bench.data.synthetic.moving_shapes import SIZE
from bench.data.video.clip_reader import ClipReader
from bench.data.video.decode import FrameSampler, Pixels, VideoError
from bench.data.words.word_vectors import read_vectors
from bench.errors import UserError
from bench.experiments.fingerprint import code_digest
from bench.features.frozen_backbone import FrozenBackbone, is_readable, segment_features
from bench.features.image_classifiers import (
    Weights,
    load_classifier,
    load_detector,
    shapes_classifier,
)
from bench.features.image_text import class_embeddings, open_image_text
from bench.features.object_vocabulary import (
    object_names,
    object_texts,
    object_vectors,
    read_scores,
    read_signatures,
    scored_names,
)
from bench.features.text_encoder import Encoder, Transformer, WordMean, class_texts
from bench.training.device import prepare
from bench.training.embed import chunk
from bench.utils.io import DAMAGED, digest, file_digest, read_arrays
from bench.utils.terminal import track

Array = NDArray[Any]
Model = Callable[[NDArray[np.uint8]], Array]  # frames [n,H,W,3] -> [n,...]
Block = TypeVar("Block")


@dataclass(frozen=True)
class Made:
    """An input of one data set.

    ``digest`` is the hash of its values. Numbers that a network computes differ between types of
    CPUs and GPUs; ``key`` then identifies what decides them (code, weights, settings, videos) and
    is the same everywhere. Otherwise it is empty.
    """

    source: str
    digest: str
    key: str = ""


class NotDescribed(Exception):
    """The profile does not describe this input."""


class Unavailable(Exception):
    """This data set cannot have the input; the reason says what to do."""


@contextmanager
def _unavailable() -> Iterator[None]:
    """Turn a UserError into Unavailable: the input is missing, but the stage continues."""
    try:
        yield
    except UserError as error:
        raise Unavailable(str(error)) from None


def _described(block: Block | None) -> Block:
    if block is None:
        raise NotDescribed
    return block


class Workspace:
    """What the makers of one run share: data sets, models, word vectors, the object vocabulary."""

    def __init__(self, config: Config, layout: Layout) -> None:
        self.config, self.profile, self.layout = config, config.profile, layout
        used = [self.profile.train_on, *self.profile.transfer_sets()]
        used += [name for name, _ in self.profile.per_split()]
        self.datasets = list(dict.fromkeys(name for name in used if name))
        self._models: dict[str, Any] = {}

    def index(self, dataset: str) -> Index:
        """Return the index of a data set."""
        return read_index(self.layout.index, dataset)

    def once(self, what: str, make: Callable[[], Any]) -> Any:
        """Make a model for the first data set; keep it, or its error, for the others."""
        if what not in self._models:
            try:
                self._models[what] = make()
            except UserError as error:
                self._models[what] = error
        found = self._models[what]
        if isinstance(found, UserError):
            raise Unavailable(str(found)) from None
        return found

    @cached_property
    def device(self) -> torch.device:
        """Where models run."""
        return prepare(self.profile.train.device)

    @cached_property
    def frozen_backbone(self) -> FrozenBackbone:
        """The frozen backbone of the profile."""
        profile, pretext = self.profile, None
        if profile.network.weights is None and profile.pretrain_on is not None:
            pretext = self.index(profile.pretrain_on)
        return FrozenBackbone(self.layout, profile.network, profile.train, profile.input, pretext)

    @cached_property
    def vectors(self) -> dict[str, NDArray[np.float32]]:
        """The unit vectors of all words that stage ``words`` stored."""
        path = self.layout.words / "vectors.npz"
        if not path.is_file():
            return {}
        try:
            words = list(map(str, read_arrays(path, "words")["words"]))
        except DAMAGED as error:
            raise UserError(f"{path}: damaged ({error}); run 'bench stage words'") from None
        return read_vectors(path, words)

    @cached_property
    def encoder(self) -> Encoder:
        """The sentence encoder of the profile."""
        described = self.profile.inputs.texts
        if described is not None and described.sentences.folder is not None:
            return Transformer(self.layout.root / described.sentences.folder, self.device)
        if not self.vectors:
            raise UserError(
                "texts need word vectors, but the profile only has vectors of whole classes; set "
                "words.vectors to a file of word vectors, or inputs.texts.sentences"
            )
        return WordMean(self.vectors)

    @cached_property
    def objects(self) -> tuple[list[str], str, str]:
        """Write the objects' names, vectors and texts; return names, digest and key (``Made``)."""
        names = object_names(self.profile, self.layout.root)
        vectors, unknown = object_vectors(names, self.vectors)
        if unknown:
            print(f"objects: {unknown} of {len(names)} names have no word vector")
        texts, described = None, []
        if self.profile.inputs.texts is not None:
            try:
                listed = object_texts(self.profile, self.layout.root, names)
                texts = self.encoder.encode(listed, allow_empty=True)
                described = [self.encoder.digest, listed] if self.encoder.digest else []
            except UserError as error:
                print(f"objects: no texts ({error})")
        scored = len(scored_names(self.profile, self.layout.root))
        folder = self.layout.inputs / "objects"
        found = write_objects(folder, names, vectors, texts, scored)
        key = [names, digest(vectors.tobytes()), scored, *described] if described else found
        return names, found, digest(key)

    def code(self, *modules: str) -> str:
        """Return the hash of the modules that make an input."""
        root = self.layout.root
        return digest([code_digest(root / "bench" / f"{m}.py", root) for m in modules])

    def of_frames(
        self, name: str, dataset: str, frames: int, short_side: int | None, model: Model, key: Any
    ) -> tuple[str, str]:
        """Run a model on frames of every video; return the digest of its array and its key."""
        index = self.index(dataset)
        if index.kind == "features":
            raise Unavailable(f"data set {dataset} has features only, no frames")
        folder = self.layout.inputs / name
        stamp = digest([key, frames, short_side, index.digest, self.code("data/video/decode")])
        sampler = FrameSampler(index, frames, short_side)
        failures = dict(sampler.failures)

        def sampled(row: int) -> Pixels | None:
            if row not in failures:
                try:
                    return sampler.sample(row)
                except VideoError as error:
                    failures[row] = error.reason
            return None

        def scored(row: int) -> Array | None:
            pixels = sampled(row)
            return None if pixels is None else model(pixels)

        found = is_current(folder, dataset, stamp)
        # Try failed videos again: the disk may have failed, not the file.
        if found and all(sampled(row) is None for row in failed_videos(folder, dataset)):
            return found, stamp
        rows = range(len(index.paths))
        example = next((one for row in rows if (one := scored(row)) is not None), None)
        if example is None:
            raise Unavailable(f"no video of {dataset} can be read")
        empty = np.zeros_like(example)

        def whole() -> Iterator[Array]:
            for row in track(rows, len(rows), f"{name} {dataset}"):
                array = scored(row)
                yield (empty if array is None else array)[None]

        write_videos(folder, dataset, stamp, whole(), len(rows), failures)
        return is_current(folder, dataset, stamp), stamp


def features(work: Workspace, dataset: str) -> Made:
    """Features of segments: the data set's own, or those of the frozen backbone."""
    index = work.index(dataset)
    if index.kind == "features":
        return Made(index.root.name, index.digest)
    profile, folder = work.profile, work.layout.inputs / "features"
    frozen = work.once("frozen backbone", lambda: work.frozen_backbone)
    code = work.code("features/frozen_backbone")
    key = work.once("backbone key", lambda: frozen.key(code))
    segments = profile.inputs.features.segments
    stamp = digest([key, segments, index.digest])
    settings = profile.input.model_copy(update={"test_clips": segments})
    found = is_current(folder, dataset, stamp)
    failed = failed_videos(folder, dataset) if found else ()
    if not found or failed:
        clips = ClipReader.open(index, settings, work.layout.scratch / "frames")
        if not found or any(is_readable(clips, row) for row in failed):
            with torch.random.fork_rng():
                device = work.device
                backbone = work.once("backbone", lambda: frozen.load(key, device))
                failures: dict[int, str] = {}
                count = len(index.paths)
                parts = segment_features(backbone, clips, count, failures, device)
                steps = -(-count // chunk([clips]))
                parts = track(parts, steps, f"features {dataset}")
                write_videos(folder, dataset, stamp, parts, count, failures)
            found = is_current(folder, dataset, stamp)
    return Made(f"{frozen.source}, {segments} segments", found, stamp)


def texts(work: Workspace, dataset: str) -> Made:
    """Encoded definitions of the classes."""
    described = _described(work.profile.inputs.texts)
    encoder = work.once("encoder", lambda: work.encoder)
    with _unavailable():
        classes = work.index(dataset).classes
        listed = class_texts(work.profile, work.layout.root, dataset, classes)
        array = encoder.encode(listed)
    source = "generated definitions" if described.kind == "generated" else "definitions"
    found = write_classes(work.layout.inputs / "texts", dataset, array)
    decided = [work.code("features/text_encoder"), encoder.digest, listed]
    return Made(f"{source}, {encoder.name}", found, digest(decided) if encoder.digest else "")


def objects(work: Workspace, dataset: str) -> Made:
    """Object probabilities of frames."""
    described = _described(work.profile.inputs.objects)
    names, vocabulary, key_of_names = work.once("objects", lambda: work.objects)
    device = work.device
    if described.kind == "scores":
        found, source = _scores_of_file(work, dataset, described, len(names))
        return Made(source, digest([vocabulary, found]))
    if described.kind == "shapes":
        known, model = work.once("shapes", lambda: shapes_classifier(SIZE, device))
        key: Any = work.code("features/image_classifiers")
        side = None
        source = f"{len(known)} shapes, small classifier of single frames"
    else:
        weights, origin = _weights(work, described.weights)
        known, model = work.once(
            "classifier", lambda: load_classifier(described.model, weights, device)
        )
        key, side = [work.code("features/image_classifiers"), described.model, origin], 256
        source = f"{len(known)} ImageNet classes, {described.model}"
    padded = _padded(model, len(names)) if len(names) > len(known) else model
    key = [key, len(names)]
    found, stamp = work.of_frames("objects", dataset, described.frames, side, padded, key)
    return Made(source, digest([vocabulary, found]), digest([key_of_names, stamp]))


def _weights(work: Workspace, path: Path | None) -> tuple[Weights, str]:
    """Return the weights of a torchvision model and what identifies them."""
    if str(path) == "download":
        return "download", "download"
    file = path and work.layout.root / path
    return file, file_digest(file) if file and file.is_file() else str(file)


def _padded(model: Model, count: int) -> Model:
    """Give objects that only boxes know a probability of 0."""

    def padded(frames: NDArray[np.uint8]) -> Array:
        found = model(frames)
        return np.pad(found, ((0, 0), (0, count - found.shape[1])))

    return padded


def _scores_of_file(
    work: Workspace, dataset: str, described: Objects, count: int
) -> tuple[str, str]:
    """Store the scores of a data set's .npz; return their digest and source."""
    if dataset not in described.files:
        raise Unavailable(f"inputs.objects.files names no .npz for data set {dataset}")
    path = (work.layout.root / described.files[dataset]).resolve()
    index, folder = work.index(dataset), work.layout.inputs / "objects"
    with _unavailable():
        origin = file_digest(path) if path.is_file() else ""
        code = work.code("features/object_vocabulary", "data/input_store")
        stamp = digest([code, origin, index.digest, count])
        if not is_current(folder, dataset, stamp):
            scores = read_scores(path, index)
            wide = np.pad(scores, ((0, 0), (0, 0), (0, count - scores.shape[2])))
            write_videos(folder, dataset, stamp, iter([wide]), len(wide), {})
    return is_current(folder, dataset, stamp), f"scores of {path.name}"


def signatures(work: Workspace, dataset: str) -> Made:
    """The attributes of each class, in order."""
    path = (work.layout.root / _described(work.profile.inputs.signatures)).resolve()
    names, *_ = work.once("objects", lambda: work.objects)
    with _unavailable():
        array = read_signatures(path, work.index(dataset).classes, names)
    return Made(path.name, write_classes(work.layout.inputs / "signatures", dataset, array))


def boxes(work: Workspace, dataset: str) -> Made:
    """Detections on frames; their objects are numbered as in the profile."""
    described = _described(work.profile.inputs.boxes)
    names, vocabulary, key_of_names = work.once("objects", lambda: work.objects)
    weights, origin = _weights(work, described.weights)
    known, model = work.once(
        "detector",
        lambda: load_detector(described.model, weights, work.device, described.most),
    )
    place = {spelling(name): i for i, name in enumerate(names)}
    order = np.array([place[spelling(name)] for name in known] + [-1], np.float32)

    def numbered(frames: NDArray[np.uint8]) -> Array:
        found: Array = model(frames)
        found[..., 0] = order[found[..., 0].astype(np.int64)]
        return found

    code = work.code("features/image_classifiers")
    key = [code, described.model, origin, described.most, order.tolist()]
    found, stamp = work.of_frames("boxes", dataset, described.frames, 480, numbered, key)
    made = digest([vocabulary, found]), digest([key_of_names, stamp])
    return Made(f"COCO boxes, {described.model}", *made)


def clip(work: Workspace, dataset: str) -> Made:
    """Embeddings of frames and of classes by an image-text model."""
    described = _described(work.profile.inputs.clip)
    folder = (work.layout.root / described.folder).resolve()
    model = work.once("clip", lambda: open_image_text(folder, work.device))
    with _unavailable():
        classes = class_embeddings(model, work.index(dataset).classes, described.templates)
    own = write_classes(work.layout.inputs / "clip", dataset, classes)
    key = [work.code("features/image_text"), model.digest]
    # Frames of their own size: the model resizes with its own filter.
    found, stamp = work.of_frames("clip", dataset, described.frames, None, model.images, key)
    key = [stamp, work.index(dataset).classes, described.templates]
    return Made(f"{folder.name}, {described.frames} frames", digest([own, found]), digest(key))


MAKERS: dict[str, Callable[[Workspace, str], Made]] = {
    "features": features,
    "texts": texts,
    "objects": objects,
    "signatures": signatures,
    "boxes": boxes,
    "clip": clip,
}
