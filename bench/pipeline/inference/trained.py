"""A trained row as an object: embeddings of your videos and class names, and their ranking."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from bench.config.paths import Layout
from bench.config.profile import Config
from bench.data.reference.class_names import key
from bench.errors import UserError
from bench.experiments.record import Record
from bench.method import Classes, as_tensor_classes
from bench.models.similarity import cosine
from bench.pipeline.inference.find_cell import FoundCell
from bench.pipeline.inference.own_classes import checked, vectors_of
from bench.pipeline.inference.own_clips import Own, own_index
from bench.pipeline.inference.restore import OF_CLASSES, built, changed, seen_classes, settings_of
from bench.training.device import prepare
from bench.training.embed import Embedded, embed

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]
NOT_PROBABILITIES = (
    "no probabilities: they rank these names and do not say whether any of them fits"
)


class Trained:
    """A trained row. ``record`` is what its training left, ``seen`` its training classes.

    ``note`` says what of the code has changed since it was trained, "" if nothing has.
    """

    def __init__(self, config: Config, layout: Layout, found: FoundCell) -> None:
        self.record: Record = found.record
        self.note = changed(layout, found.record)
        self._config, self._layout = config, layout
        self._given: Mapping[str, str] = found.run["parameters"]["inputs"]
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
        """The training classes; of an imported checkpoint their numbers alone are known."""
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

        Raises UserError for a name whose words have no vector, a name that stands twice, or
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
