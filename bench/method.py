"""The contract of a method: what a file in ``methods/`` fills in. The harness does the rest."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import get_annotations
from typing import Any, ClassVar, Literal, get_origin

import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor, nn

from bench.errors import UserError, unknown

Loss = tuple[Tensor, dict[str, Tensor]]

# What a method may ask for beside clips; docs/inputs.md says what each one holds.
INPUTS = ("video", "clips", "features", "objects", "texts", "signatures", "boxes", "clip")


@dataclass(frozen=True)
class Classes:
    """K classes: their names, and ``vectors`` [K,W], the mean of unit word vectors of each name.

    ``inputs`` holds what the method needs of classes, each [K,...]: ``texts`` [K,E] encoded
    definitions, ``signatures`` [K,L] numbers of objects in their order (−1: none), ``clip`` [K,D].
    """

    names: Sequence[str]
    vectors: Tensor
    inputs: Mapping[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True)
class Batch:
    """B videos. ``inputs`` holds what the method needs of videos, each [B,n,...] with n parts.

    ``features`` [B,n,D] are those of n segments, ``objects`` [B,n,O] the probabilities of n frames,
    ``boxes`` [B,n,M,6] detections (object, probability, x1, y1, x2, y2 in parts of the frame;
    object −1: none), ``clip`` [B,n,D] the frames' embeddings. ``y`` [B] counts in the seen classes;
    it is empty when videos are embedded.
    """

    inputs: Mapping[str, Tensor]
    y: Tensor

    @property
    def video(self) -> Tensor:
        """Normalised clips [B,n,3,T,H,W], or [B,n,D] where only features are there."""
        return self.inputs["video"]


@dataclass(frozen=True)
class Context:
    """What ``build`` may ask for: the seen classes, the dims of the inputs, a fresh backbone.

    ``dims`` has an entry for each input that is there (0 for clips), so ``"objects" in ctx.dims``
    tells whether an input that the method only ``wants`` will be given. ``objects`` are the O
    objects of the inputs ``objects`` and ``boxes``: names, word vectors and, in their ``inputs``,
    encoded ``texts`` and ``scored`` [O], 0 for what boxes alone know (its probability is always 0).
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


class Method(nn.Module):
    """A method: annotate parameters with defaults in the class body, then fill in four functions.

    Draw random numbers from torch alone: its state is what a resumed training restores.
    A closed form overrides ``fit`` instead of ``loss``; a method that is not trained needs neither.
    A method whose score is not the cosine between the two embeddings overrides ``score``.
    The ClassVars are read from the source without running it: write them as literals.
    """

    label: ClassVar[str] = ""
    needs: ClassVar[tuple[str, ...]] = ("video",)  # of INPUTS; "clips" takes clips only
    wants: ClassVar[tuple[str, ...]] = ()  # used where the profile has them
    learning: ClassVar[Literal["steps", "closed form", "none"]] = "steps"  # else one seed is run
    approximates: ClassVar[str] = ""  # what differs from the published system; "style: …" if most
    modern: ClassVar[bool] = False  # pre-trained on uncontrolled image-text pairs: stands apart
    whole_batch: ClassVar[bool] = False  # True if the loss is no mean over videos: never shared out

    freeze_backbone: bool = False  # take the features of a frozen, pretrained backbone as video

    def build(self, ctx: Context) -> None:
        """Create the modules as attributes."""

    def loss(self, batch: Batch, seen: Classes) -> Loss:
        """Return the scalar to minimise and its named parts (logged, never summed)."""
        raise NotImplementedError(f"{type(self).__name__} has neither loss() nor fit()")

    def embed_video(self, batch: Batch) -> Tensor:
        """Return [B,D]."""
        raise NotImplementedError(f"{type(self).__name__} has no embed_video()")

    def embed_class(self, classes: Classes) -> Tensor:
        """Return [K,D]; the default is the class vectors as they are."""
        return classes.vectors

    # None, or a function: a method opts in by defining it.
    # fit(self, batches, seen): the whole training; ``batches.all(device)`` yields each video once.
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
    """Make an instance with ``values`` set over the defaults, checked against the annotations."""
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
                    f"{kind.__module__}.{kind.__name__}: a parameter's type is not known when the "
                    f"file runs ({error}); import it outside of TYPE_CHECKING"
                ) from None
    return {n: h for n, h in hints.items() if get_origin(h) is not ClassVar and hasattr(cls, n)}


def as_tensor_classes(
    names: Sequence[str],
    vectors: Any,
    device: torch.device,
    inputs: Mapping[str, Any] | None = None,
) -> Classes:
    """Make Classes from names, an array [K,W] and arrays [K,...] of other inputs."""

    def tensor(array: Any) -> Tensor:
        kind = torch.int64 if array.dtype.kind == "i" else torch.float32
        return torch.as_tensor(array, dtype=kind, device=device)

    own = {name: tensor(array) for name, array in (inputs or {}).items()}
    return Classes(tuple(names), tensor(vectors), own)
