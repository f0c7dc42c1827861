"""Map weight names between this project's modules and the released checkpoints."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import nn

from bench.errors import UserError


@dataclass(frozen=True)
class Released:
    """Names of a module's weights in released files; the ClassVar ``released`` of its class.

    ``names``: our prefix -> released prefix; a submodule with its own ``released`` maps the rest.
    ``copies``: released prefix -> the released prefix whose weights it duplicates. ``unused``:
    released weight that no output depends on -> names of its dimensions. ``dims``: name of a
    dimension -> a released weight and the axis that has this size.
    """

    names: Mapping[str, str]
    copies: Mapping[str, str] = field(default_factory=dict)
    unused: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dims: Mapping[str, tuple[str, int]] = field(default_factory=dict)


def released_names(module: nn.Module) -> dict[str, str]:
    """Return our name -> released name for all weights and buffers of a module."""
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
