"""How params.yaml describes the inputs that methods ask for beside the videos themselves."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from bench.config.schema import Count, Settings


class Features(Settings):
    """Features of segments, by the frozen backbone: ``network.weights`` or ``pretrain_on``."""

    segments: Count = 1  # clips a video, spaced as test clips are


class Sentences(Settings):
    """The sentence encoder: mean word vectors, or a Hugging Face model ``folder``."""

    kind: Literal["words", "transformers"] = "words"
    folder: Path | None = None

    @model_validator(mode="after")
    def _has_a_folder(self) -> Self:
        if (self.kind == "transformers") != (self.folder is not None):
            raise ValueError("kind transformers, and it alone, needs 'folder: MODEL DIRECTORY'")
        return self


class Texts(Settings):
    """Definitions of classes: generated (embedded world), or ``files``: data set -> .json.

    A .json maps a class to its text, to a list of texts, or is a list of {"label", "text"}-like
    objects. ``sentences`` encodes "name: definition".
    """

    kind: Literal["generated", "json"]
    files: dict[str, Path] = {}
    sentences: Sentences = Sentences()


class Objects(Settings):
    """Object probabilities of frames.

    ``shapes``: a small classifier of the embedded world. ``classifier``: a torchvision ImageNet
    ``model`` with ``weights`` (a file, or "download"). ``scores``: ``files``, data set -> .npz with
    ``scores`` and ``names``. ``texts``: a .json of definitions of the objects.
    """

    kind: Literal["shapes", "classifier", "scores"]
    frames: Count = 8
    model: str = "resnet50"
    weights: Path | None = None
    files: dict[str, Path] = {}
    texts: Path | None = None


class Boxes(Settings):
    """Detections on frames by a torchvision COCO detector."""

    model: str = "fasterrcnn_resnet50_fpn"
    weights: Path
    frames: Count = 8
    most: Count = 20  # boxes a frame


class Clip(Settings):
    """A CLIP directory of transformers or open_clip; a class is the mean over the ``templates``."""

    folder: Path
    frames: Count = 8
    templates: tuple[str, ...] = Field(("a video of a person {}.",), min_length=1)


class Inputs(Settings):
    """What a profile gives to the methods that ask for it; an absent one is missing there."""

    features: Features = Features()
    texts: Texts | None = None
    objects: Objects | None = None
    signatures: Path | None = None  # .json: class -> its attributes (objects) in their order
    boxes: Boxes | None = None
    clip: Clip | None = None
