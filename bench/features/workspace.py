"""What the makers of inputs share: the data sets, models that are opened once, frames of videos."""

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bench.config.paths import Layout
from bench.config.profile import Config
from bench.data.index import Index, read_index
from bench.data.input_store import failed_videos, is_current, write_objects, write_videos
from bench.data.video.colour import Pixels
from bench.data.video.decode import VideoError
from bench.data.words.vectors import read_vectors
from bench.errors import UserError
from bench.experiments.fingerprint import source_digest
from bench.features.encoder import Encoder, Transformer, WordMean
from bench.features.frames import FrameSampler
from bench.features.object_names import object_names, scored_names
from bench.features.objects import encoded_objects, object_texts, object_vectors
from bench.training.device import prepare
from bench.utils.io import DAMAGED, digest, read_arrays
from bench.utils.progress import track

Array = NDArray[Any]
Model = Callable[[NDArray[np.uint8]], Array]  # frames [n,H,W,3] -> [n,...]


class NotDescribed(Exception):
    """The profile does not describe this input."""


class Lacking(Exception):
    """This data set cannot have the input; the reason says what to do."""


class Work:
    """One run: the profile's data sets, and the models and vectors that its inputs share."""

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
        """Make a model for the first data set and keep it, or its error, for the others."""
        if what not in self._models:
            try:
                self._models[what] = make()
            except UserError as error:
                self._models[what] = error
        found = self._models[what]
        if isinstance(found, UserError):
            raise Lacking(str(found)) from None
        return found

    @cached_property
    def device(self) -> torch.device:
        """Where models run."""
        return prepare(self.profile.train.device)

    @cached_property
    def vectors(self) -> dict[str, NDArray[np.float32]]:
        """The unit vectors of all words that the stage words kept."""
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
                "texts need word vectors, and the profile has those of whole classes alone; set "
                "words.vectors to a file of word vectors, or inputs.texts.sentences"
            )
        return WordMean(self.vectors)

    @cached_property
    def objects(self) -> tuple[list[str], str]:
        """Write the objects' names, vectors and texts; return the names and their digest."""
        names = object_names(self.profile, self.layout.root)
        vectors, unknown = object_vectors(names, self.vectors)
        if unknown:
            print(f"objects: {unknown} of {len(names)} names have no word vector")
        texts = None
        if self.profile.inputs.texts is not None:
            try:
                listed = object_texts(self.profile, self.layout.root, names)
                texts = encoded_objects(listed, self.encoder)
            except UserError as error:
                print(f"objects: no texts ({error})")
        scored = len(scored_names(self.profile, self.layout.root))
        folder = self.layout.inputs / "objects"
        return names, write_objects(folder, names, vectors, texts, scored)

    def code(self, *modules: str) -> str:
        """Return the hash of the modules that make an input."""
        root = self.layout.root
        return digest([source_digest(root / "bench" / f"{m}.py", root) for m in modules])

    def of_frames(
        self, name: str, dataset: str, frames: int, short_side: int | None, model: Model, key: Any
    ) -> str:
        """Run a model over the frames of every video; return the digest of its array."""
        index = self.index(dataset)
        if index.kind == "features":
            raise Lacking(f"data set {dataset} has features only, no frames")
        folder = self.layout.inputs / name
        stamp = digest([key, frames, short_side, index.digest, self.code("features/frames")])
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
        # Once more what failed before: perhaps the disk did, and not the file.
        if found and all(sampled(row) is None for row in failed_videos(folder, dataset)):
            return found
        rows = range(len(index.paths))
        example = next((one for row in rows if (one := scored(row)) is not None), None)
        if example is None:
            raise Lacking(f"no video of {dataset} can be read")
        empty = np.zeros_like(example)

        def whole() -> Iterator[Array]:
            for row in track(rows, len(rows), f"{name} {dataset}"):
                array = scored(row)
                yield (empty if array is None else array)[None]

        write_videos(folder, dataset, stamp, whole(), len(rows), failures)
        return is_current(folder, dataset, stamp)
