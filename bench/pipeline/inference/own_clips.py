"""Your own videos as a method is given those of a data set: read by the same code."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from warnings import warn

import numpy as np
from numpy.typing import NDArray

from bench.config.paths import Layout
from bench.config.profile import Config
from bench.config.schema import Input
from bench.data.index import Index
from bench.data.input_store import read_videos
from bench.data.reference.class_names import key
from bench.data.synthetic.definitions import definitions
from bench.data.video.decode import VideoError, measure_video
from bench.errors import UserError
from bench.features.clip import class_embeddings, open_image_text
from bench.features.makers import MAKERS
from bench.features.objects import read_signatures
from bench.features.texts import named, read_texts
from bench.features.workspace import Lacking, NotDescribed, Work
from bench.method import Method
from bench.training.sources import Source, Vectors, open_video
from bench.utils.io import digest

OWN = "own"  # the name of the data set that a user's videos make


def own_index(paths: Sequence[Path | str], settings: Input) -> Index:
    """Return an index of videos, each decoded once to count its frames.

    Warns of a video that is shorter than one clip. Raises UserError for a path that is no video, or
    one of fewer frames than it needs.
    """
    counts = []
    files = [Path(path).absolute() for path in paths]
    for file in files:
        if not file.exists():
            raise UserError(f"video {file} is missing")
        try:
            found = measure_video(file)
        except VideoError as error:
            raise UserError(f"video {error}") from None
        least = max(2, settings.test_clips)  # a picture opens as a video of one frame
        if found.frames < least:
            raise UserError(
                f"video {file}: too short: {found.frames} frames, and at least {least} are needed"
            )
        if found.frames < settings.length:
            warn(
                f"video {file} has {found.frames} frames, fewer than a clip of {settings.length}: "
                "the clip goes on at the beginning",
                stacklevel=2,
            )
        counts.append(found.frames)
    stamps = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return Index(
        name=OWN,
        kind="videos",
        root=Path("/"),
        classes=[],
        paths=[str(file) for file in files],
        labels=np.zeros(len(files), np.int64),
        frames=np.array(counts, np.int64),
        digest=digest(stamps),
        rows=np.arange(len(files)),
        keys={},
        source="",
        reasons=[""] * len(files),
    )


@dataclass(frozen=True)
class _Aside(Layout):
    """A project whose inputs are written elsewhere."""

    aside: Path

    @property
    def inputs(self) -> Path:
        return self.aside


class Own(Work):
    """What the stage inputs makes for data sets, made for a user's videos and class names.

    ``folder`` is a temporary one: nothing of the project is written but, where it lacks, the frozen
    backbone that the features of videos come from.
    """

    def __init__(self, config: Config, layout: Layout, row: str, folder: Path) -> None:
        super().__init__(config, _Aside(layout.root, layout.profile, folder))
        self._row = row
        self._index: Index | None = None

    def index(self, dataset: str) -> Index:
        """Return the user's videos as a data set, the others as they are."""
        if dataset == OWN and self._index is not None:
            return self._index
        return super().index(dataset)

    def sources(
        self, method: Method, given: Sequence[str], settings: Input, index: Index
    ) -> dict[str, Source]:
        """Open what a method is given of videos, as ``bench.training.run_cell`` does."""
        self._index = index
        found: dict[str, Source] = {}
        for name in dict.fromkeys([*method.needs, *(n for n in method.wants if n in given)]):
            if name == "video" and method.freeze_backbone:
                found["video"] = self._made("features")
            elif name in ("video", "clips"):
                frames = settings.model_copy(update={"store": False})
                found["video"] = open_video(index, frames, self.layout.scratch)
            elif name not in ("texts", "signatures"):
                found[name] = self._made(name)
        return found

    def of_classes(self, name: str, classes: Sequence[str]) -> NDArray[Any]:
        """Return an input [K,...] of own class names; UserError where it cannot be made."""
        try:
            if name == "texts":
                return self._texts(classes)
            if name == "signatures":
                path = self.layout.root / (self.profile.inputs.signatures or "")
                return read_signatures(path.resolve(), classes, self.objects[0])
            described = self.profile.inputs.clip
            if described is None:
                raise NotDescribed
            folder = (self.layout.root / described.folder).resolve()
            model = self.once("clip", lambda: open_image_text(folder, self.device))
            return class_embeddings(model, classes, described.templates)
        except NotDescribed:
            raise self._lacks(name, "the profile does not describe it") from None
        except (Lacking, UserError) as error:
            raise self._lacks(f"{name} of classes", str(error)) from None

    def _made(self, name: str) -> Vectors:
        index = self.index(OWN)
        try:
            MAKERS[name](self, OWN)
        except NotDescribed:
            raise self._lacks(name, "the profile does not describe it") from None
        except (Lacking, UserError) as error:
            raise self._lacks(name, str(error)) from None
        array, failures = read_videos(self.layout.inputs / name, OWN, len(index.paths))
        return Vectors(array, failures)

    def _lacks(self, name: str, reason: str) -> UserError:
        return UserError(
            f"{self._row} needs {name}: {reason}; rows that need videos alone take any clip "
            "('bench methods' lists what each one needs)"
        )

    def _texts(self, classes: Sequence[str]) -> NDArray[Any]:
        described = self.profile.inputs.texts
        if described is None:
            raise NotDescribed
        if described.kind == "generated":
            known = {key(name): text for name, text in definitions().items()}
        else:
            files = [(self.layout.root / file).resolve() for file in described.files.values()]
            known = {name: text for file in files for name, text in read_texts(file).items()}
        listed = named(classes, known, f"the definitions of profile {self.config.name}")
        return self.encoder.encode(listed)
