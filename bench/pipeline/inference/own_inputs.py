"""A user's own videos and class names, prepared by the same code as those of a data set."""

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any
from warnings import warn

import numpy as np
from numpy.typing import NDArray

from bench.config.paths import Layout
from bench.config.profile import Config
from bench.config.schema import Input
from bench.data.index import Index
from bench.data.input_store import FeatureReader, InputReader, read_videos
from bench.data.reference.class_names import key
from bench.data.synthetic.corpus import definitions
from bench.data.video.clip_reader import ClipReader
from bench.data.video.decode import VideoError, measure_video
from bench.data.words.class_vectors import (
    Words,
    class_vectors,
    class_words,
    known_words,
    load_class_vectors,
    missing,
)
from bench.data.words.word_vectors import read_vectors
from bench.errors import UserError
from bench.features.image_text import class_embeddings, open_image_text
from bench.features.input_makers import MAKERS, NotDescribed, Unavailable, Workspace
from bench.features.object_vocabulary import read_signatures
from bench.features.text_encoder import named, read_texts
from bench.method import Method
from bench.utils.io import DAMAGED, digest, read_arrays

OWN = "own"  # the name of the data set that a user's videos make
ClassVectors = NDArray[np.float32]
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


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


class Own(Workspace):
    """What the stage inputs makes for data sets, made for a user's videos and class names.

    ``folder`` is a temporary one: nothing is written to the project, except the frozen backbone for
    features of videos if it does not exist yet.
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
    ) -> dict[str, InputReader]:
        """Open what a method is given of videos, as ``bench.training.run_cell`` does."""
        self._index = index
        found: dict[str, InputReader] = {}
        for name in dict.fromkeys([*method.needs, *(n for n in method.wants if n in given)]):
            if name == "video" and method.freeze_backbone:
                found["video"] = self._made("features")
            elif name in ("video", "clips"):
                frames = settings.model_copy(update={"store": False})
                found["video"] = ClipReader.open(index, frames, self.layout.scratch)
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
        except (Unavailable, UserError) as error:
            raise self._lacks(f"{name} of classes", str(error)) from None

    def _made(self, name: str) -> FeatureReader:
        index = self.index(OWN)
        try:
            MAKERS[name](self, OWN)
        except NotDescribed:
            raise self._lacks(name, "the profile does not describe it") from None
        except (Unavailable, UserError) as error:
            raise self._lacks(name, str(error)) from None
        array, failures = read_videos(self.layout.inputs / name, OWN, len(index.paths))
        return FeatureReader(array, failures)

    def _lacks(self, name: str, reason: str) -> UserError:
        return UserError(
            f"{self._row} needs {name}: {reason}; rows that only need videos take any clip "
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


def checked(names: Sequence[str]) -> list[str]:
    """Return the names without surrounding spaces; UserError for none or a duplicate."""
    if isinstance(names, str):
        raise UserError(f"classes is the text '{names}'; give a list of names: ['{names}', …]")
    stripped = [str(name).strip() for name in names]
    if not stripped:
        raise UserError("no classes to choose from; give at least one name")
    known: dict[str, str] = {}
    for name in stripped:
        if not key(name):
            raise UserError(f"class name '{name}' has no letter or digit")
        if (twin := known.setdefault(key(name), name)) is not name:
            raise UserError(f"class '{name}' is given twice ('{twin}'); give each class once")
    return stripped


def vectors_of(names: Sequence[str], config: Config, layout: Layout) -> ClassVectors:
    """Return [K,W]: of a class of the profile, in any spelling, its own vector, else by its words.

    Raises UserError that names the classes and words without a vector, and the nearest words.
    """
    profile = config.profile
    known: dict[str, ClassVectors] = {}
    for dataset in dict.fromkeys([*profile.transfer_sets(), *profile.datasets]):
        known = {**known, **load_class_vectors(layout.words, dataset), **known}
    spelled = {key(name): known[name] for name in reversed(known)}  # the first one wins
    found = {name: known[name] for name in names if name in known}
    found |= {n: spelled[key(n)] for n in names if n not in found and key(n) in spelled}
    words = _words([name for name in names if name not in found], profile.train_on or "")
    if words:
        found |= _looked_up(words, config, layout, next(iter(known), ""))
    return np.stack([found[name] for name in names])


def _words(names: Sequence[str], train_on: str) -> Words:
    """Return names' words as those of the training classes were made.

    A new name in one piece (ApplyEyeMakeup) is split at its capitals whatever the family.
    """
    known = known_words(train_on)
    joined = [n for n in names if " " not in n and "_" not in n and key(n) not in known]
    return class_words(train_on, names) | class_words("ucf101" if known else "", joined)


def _looked_up(
    words: Words, config: Config, layout: Layout, example: str
) -> dict[str, ClassVectors]:
    """Return class -> vector: from the words that the stage words kept, else from their source."""
    kept = layout.words / "vectors.npz"
    vocabulary = _vocabulary(kept)
    vectors = read_vectors(kept, _all(words)) if vocabulary else {}
    lacking = missing(words, vectors)
    if lacking:
        source = _source(config, layout, next(iter(lacking)), lacking)
        near = {other for word in lacking for other in _one_letter_off(word)}
        found = read_vectors(source, {*lacking, *near})
        vectors |= {word: vector for word, vector in found.items() if word in lacking}
        if lacking := missing(words, vectors):
            raise UserError(_complaint(lacking, {*vocabulary, *found}, source, config, example))
    (array,) = class_vectors({"own": words}, vectors, kept.name).values()
    return dict(zip(words, array, strict=True))


def _all(words: Words) -> set[str]:
    return {word for listed in words.values() for word in listed}


def _vocabulary(path: Path) -> list[str]:
    if not path.is_file():
        return []
    try:
        return list(map(str, read_arrays(path, "words")["words"]))
    except DAMAGED as error:
        raise UserError(f"{path}: damaged ({error}); run 'bench stage words'") from None


def _source(config: Config, layout: Layout, word: str, lacking: Mapping[str, list[str]]) -> Path:
    """Return the profile's file of word vectors."""
    words = config.profile.words
    if words.kind == "corpus":
        return layout.words / "vectors.bin"
    given = words.file or words.vectors
    if given is None:
        raise UserError(
            f"class '{lacking[word][0]}': profile {config.name} has vectors of whole classes "
            "alone; set words.vectors in params.yaml to a file of word vectors"
        )
    return layout.root / given


def _one_letter_off(word: str) -> set[str]:
    """Return the spellings one letter off a word, its inflections and its capitalised form.

    A file of three million words is streamed once, so the candidates are asked for by name.
    """
    cuts = [(word[:i], word[i:]) for i in range(len(word) + 1)]
    less = {a + b[1:] for a, b in cuts if b}
    swapped = {a + b[1] + b[0] + b[2:] for a, b in cuts if len(b) > 1}
    other = {a + c + b[1:] for a, b in cuts if b for c in _LETTERS}
    more = {a + c + b for a, b in cuts for c in _LETTERS}
    stems = {word.removesuffix(end) for end in ("s", "es", "ing", "ed")}
    if any(a == b for a, b in pairwise(word.removesuffix("ing")[-2:])):  # running: run
        stems.add(word.removesuffix("ing")[:-1])
    inflected = {stem + end for stem in stems for end in ("", "e", "s", "es", "ing", "ed", "er")}
    return (less | swapped | other | more | inflected | {word.capitalize()}) - {word, ""}


def _complaint(
    lacking: Mapping[str, list[str]],
    known: Collection[str],
    source: Path,
    config: Config,
    example: str,
) -> str:
    shown = []
    for word, classes in list(lacking.items())[:5]:
        near = difflib.get_close_matches(word, known, n=3, cutoff=0.6)
        nearest = f"; nearest in spelling: {', '.join(map(repr, near))}" if near else ""
        of = "" if classes[0] == word else f" of class '{classes[0]}'"
        shown.append(f"'{word}'{of} has no vector in {source.name}{nearest}")
    more = f"; and {len(lacking) - 5} more words" if len(lacking) > 5 else ""
    world = f"; the generated world only knows its own words, as in '{example}'"
    return "; ".join(shown) + more + world * config.profile.embedded
