"""The interface of a method: what a file in ``methods/`` implements."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import get_annotations
from typing import Any, ClassVar, Literal, Protocol, get_origin

import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor, nn

from bench.errors import UserError, unknown

Loss = tuple[Tensor, dict[str, Tensor]]

# Inputs that a method can declare; docs/inputs.md describes each one.
INPUTS = ("video", "clips", "features", "objects", "texts", "signatures", "boxes", "clip")


@dataclass(frozen=True)
class Classes:
    """K classes: names and ``vectors`` [K,W], the mean of the unit word vectors of each name.

    ``inputs`` holds the class inputs that the method declares, each [K,...]: ``texts`` [K,E],
    encoded definitions; ``signatures`` [K,L], ordered indices of objects (−1: padding); ``clip``
    [K,D], text embeddings.
    """

    names: Sequence[str]
    vectors: Tensor
    inputs: Mapping[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True)
class Batch:
    """B videos. ``inputs`` holds the video inputs that the method declares, each [B,n,...].

    ``features`` [B,n,D] of n segments; ``objects`` [B,n,O], object probabilities in n frames;
    ``boxes`` [B,n,M,6], detections (object, probability, x1, y1, x2, y2 relative to the frame;
    object −1: padding); ``clip`` [B,n,D], embeddings of n frames. ``y`` [B] are indices of seen
    classes; it is empty when videos are embedded.
    """

    inputs: Mapping[str, Tensor]
    y: Tensor

    @property
    def video(self) -> Tensor:
        """Normalised clips [B,n,3,T,H,W], or features [B,n,D] of data sets without videos."""
        return self.inputs["video"]


@dataclass(frozen=True)
class Context:
    """What ``build`` can use: the seen classes, the sizes of the inputs, a new backbone.

    ``dims`` has an entry for each available input (0 for clips), so ``"objects" in ctx.dims`` tells
    whether an optional input (``wants``) is there. ``objects`` are the O objects of the inputs
    ``objects`` and ``boxes``: names, word vectors and, in their ``inputs``, encoded ``texts`` and
    ``scored`` [O], which is 0 for objects that only ``boxes`` have (their probability is always 0).
    """

    seen: Classes
    dims: Mapping[str, int]  # input name -> last dimension
    head: int  # width of the heads
    backbone: Callable[[], nn.Module]  # [N,3,T,H,W] (or features [N,D]) -> [N,backbone_dim]
    backbone_dim: int
    objects: Classes | None = None

    @property
    def word_dim(self) -> int:
        """Dimension of a class vector."""
        return int(self.seen.vectors.shape[1])


class TrainingVideos(Protocol):
    """The training videos, as ``fit`` of a closed-form method gets them."""

    def all(self, device: torch.device) -> Iterator[Batch]:
        """Yield every video once, in order, in batches on ``device``."""


class Method(nn.Module):
    """Base class of methods. Annotate parameters with defaults, then implement four functions.

    Implement ``build``, ``loss``, ``embed_video`` and, to map the class vectors, ``embed_class``.
    A closed-form method implements ``fit`` instead of ``loss``; an untrained method needs neither.
    A method whose score is not the cosine of the two embeddings implements ``score``.
    Draw random numbers only from torch: a resumed training restores its state.
    ClassVars are read from the source without running it, so write them as literals.
    """

    label: ClassVar[str] = ""
    needs: ClassVar[tuple[str, ...]] = ("video",)  # names of INPUTS; "clips" accepts only clips
    wants: ClassVar[tuple[str, ...]] = ()  # used if the profile has them
    learning: ClassVar[Literal["steps", "closed form", "none"]] = "steps"  # the others run one seed
    approximates: ClassVar[str] = ""  # differences from the published system; "style: …" if large
    files: ClassVar[tuple[str, ...]] = ()  # data files beside the method's file that it reads
    modern: ClassVar[bool] = False  # pre-trained on uncontrolled image-text pairs: listed apart
    whole_batch: ClassVar[bool] = False  # True if the loss is not a mean over videos: never split

    freeze_backbone: bool = False  # use features of a frozen, pretrained backbone as video

    def build(self, ctx: Context) -> None:
        """Create the modules as attributes of the method."""

    def loss(self, batch: Batch, seen: Classes) -> Loss:
        """Return the scalar to minimise, and named parts of it for the log."""
        raise NotImplementedError(f"{type(self).__name__} has neither loss() nor fit()")

    def embed_video(self, batch: Batch) -> Tensor:
        """Return video embeddings [B,D]."""
        raise NotImplementedError(f"{type(self).__name__} has no embed_video()")

    def embed_class(self, classes: Classes) -> Tensor:
        """Return class embeddings [K,D]; by default the class vectors."""
        return classes.vectors

    # Optional functions.
    # fit(self, videos: TrainingVideos, seen: Classes): the whole training.
    fit: ClassVar[Callable[..., None] | None] = None
    # score(self, video [B,D], classes [K,E]) -> [B,K], for a few videos at a time.
    score: ClassVar[Callable[..., Tensor] | None] = None


def over_clips(net: Callable[[Tensor], Tensor], video: Tensor) -> Tensor:
    """Apply ``net`` to each clip and average its outputs: [B,n,...] → [B,D]."""
    flat = net(video.flatten(0, 1))
    return flat.view(video.shape[0], video.shape[1], -1).mean(1)


def parameters_of(cls: type[Method]) -> dict[str, Any]:
    """Return the method's parameters with their defaults, Method's own included."""
    return {name: getattr(cls, name) for name in _hints(cls)}


def create(cls: type[Method], values: Mapping[str, Any]) -> Method:
    """Return an instance with ``values`` instead of the defaults, checked by the annotations."""
    hints = _hints(cls)
    method = cls()
    for name, value in values.items():
        if name not in hints:
            raise unknown(f"parameter of method {cls.__module__.rpartition('.')[2]}", name, hints)
        try:
            checked: Any = TypeAdapter(hints[name]).validate_python(value)
        except ValidationError as error:
            why = error.errors()[0]["msg"]
            raise UserError(f"{cls.__name__}.{name} = {value!r}: {why}") from None
        setattr(method, name, checked)
    return method


def _hints(cls: type[Method]) -> dict[str, Any]:
    hints: dict[str, Any] = {}
    for kind in reversed(cls.__mro__):
        if issubclass(kind, Method):
            try:
                hints |= get_annotations(kind, eval_str=True)
            except NameError as error:
                raise UserError(
                    f"{kind.__module__}.{kind.__name__}: the type of a parameter is not defined "
                    f"when the file runs ({error}); import it outside of TYPE_CHECKING"
                ) from None
    return {n: h for n, h in hints.items() if get_origin(h) is not ClassVar and hasattr(cls, n)}


def as_tensor_classes(
    names: Sequence[str],
    vectors: Any,
    device: torch.device,
    inputs: Mapping[str, Any] | None = None,
) -> Classes:
    """Return Classes from names, an array [K,W] and arrays [K,...] of other inputs."""

    def tensor(array: Any) -> Tensor:
        kind = torch.int64 if array.dtype.kind == "i" else torch.float32
        return torch.as_tensor(array, dtype=kind, device=device)

    own = {name: tensor(array) for name, array in (inputs or {}).items()}
    return Classes(tuple(names), tensor(vectors), own)
