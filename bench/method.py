"""The contract of a method: what a file in ``methods/`` fills in. The harness does the rest."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import get_annotations
from typing import Any, ClassVar, get_origin

import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor, nn

from bench.errors import UserError, unknown

Loss = tuple[Tensor, dict[str, Tensor]]


@dataclass(frozen=True)
class Classes:
    """K classes: their names, and ``vectors`` [K,W], the mean of unit word vectors of each name."""

    names: Sequence[str]
    vectors: Tensor

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True)
class Batch:
    """B videos. ``inputs`` holds what the method ``needs``, each [B,n,...] with n clips or parts.

    ``y`` [B] counts in the seen classes; it is empty when videos are embedded.
    """

    inputs: Mapping[str, Tensor]
    y: Tensor

    @property
    def video(self) -> Tensor:
        """Normalised clips [B,n,3,T,H,W], or [B,n,D] where only features are there."""
        return self.inputs["video"]


@dataclass(frozen=True)
class Context:
    """What ``build`` may ask for: the seen classes, the dims of the inputs, a fresh backbone."""

    seen: Classes
    dims: Mapping[str, int]  # input name -> last dimension, for inputs that are vectors
    head: int  # width of the heads
    backbone: Callable[[], nn.Module]  # [N,3,T,H,W] (or features [N,D]) -> [N,backbone_dim]
    backbone_dim: int

    @property
    def word_dim(self) -> int:
        """Dimension of a class vector."""
        return int(self.seen.vectors.shape[1])


class Method(nn.Module):
    """A method: annotate parameters with defaults in the class body, then fill in four functions.

    Draw random numbers from torch alone: its state is what a resumed training restores.
    A training-free or closed-form method overrides ``fit`` instead of ``loss``. A method whose
    score is not the cosine between the two embeddings overrides ``score``.
    """

    label: ClassVar[str] = ""
    needs: ClassVar[tuple[str, ...]] = ("video",)  # clips or features; "clips" takes clips only

    freeze_backbone: bool = False  # train on the features of a frozen, pretrained backbone

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
    fit: ClassVar[Callable[..., None] | None] = None  # fit(self, batches, seen): whole training
    score: ClassVar[Callable[..., Tensor] | None] = None  # score(self, video [B,D], classes [K,D])


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
            hints |= get_annotations(kind, eval_str=True)
    return {n: h for n, h in hints.items() if get_origin(h) is not ClassVar and hasattr(cls, n)}


def as_tensor_classes(names: Sequence[str], vectors: Any, device: torch.device) -> Classes:
    """Make Classes from names and an array [K,W]."""
    return Classes(tuple(names), torch.as_tensor(vectors, dtype=torch.float32, device=device))
