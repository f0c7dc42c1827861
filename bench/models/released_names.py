"""How a released checkpoint names the weights of this project's modules."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import nn

from bench.errors import UserError


@dataclass(frozen=True)
class Released:
    """The names of one module's weights in a released file; a ClassVar ``released`` of its class.

    ``names``: prefix of ours -> theirs; a submodule with a ``released`` of its own goes on from
    there. ``copies``: a prefix of theirs -> the one that it repeats. ``unused``: a weight of theirs
    that no output depends on -> its dimensions by name. ``dims``: the name of a dimension -> the
    weight of theirs and the axis that tell it.
    """

    names: Mapping[str, str]
    copies: Mapping[str, str] = field(default_factory=dict)
    unused: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dims: Mapping[str, tuple[str, int]] = field(default_factory=dict)


def released_names(module: nn.Module) -> dict[str, str]:
    """Return our name -> released name of each of a module's weights and buffers."""
    return {name: _renamed(module, name) for name in module.state_dict()}


def _renamed(module: nn.Module, name: str) -> str:
    released: Released | None = getattr(module, "released", None)
    if released is None:
        return name
    for own, theirs in released.names.items():
        if name.startswith(own):
            inner, rest = own.rstrip("."), name.removeprefix(own)
            return theirs + (_renamed(module.get_submodule(inner), rest) if rest else "")
    raise UserError(f"{type(module).__name__} has no released name for its weight '{name}'")
