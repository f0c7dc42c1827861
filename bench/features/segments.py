"""The frozen backbone that segments' features are made by: one for all methods and seeds."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, load_file, save
from torch import Tensor, nn

from bench.config.paths import Layout
from bench.config.profile import Profile
from bench.data.index import read_index
from bench.errors import UserError
from bench.features.frozen_backbone import pretrained
from bench.models.r2plus1d import new_backbone
from bench.utils.io import digest, file_digest, read_sealed, write_sealed


def backbone_key(profile: Profile, layout: Layout, core: str) -> str:
    """Return what decides the frozen backbone; UserError where the profile has none.

    It is ``network.weights``, or a classifier trained on the ``pretrain_on`` data set.
    """
    if profile.network.weights is not None:
        path = layout.root / profile.network.weights
        if not path.is_file():
            raise UserError(f"network.weights {path.resolve()} is missing; put the file there")
        origin = file_digest(path)
    elif profile.pretrain_on is not None:
        index = read_index(layout.index, profile.pretrain_on)
        origin = digest([index.digest, profile.train.numbers()])
    else:
        raise UserError(
            "no frozen backbone: give network.weights (a .safetensors) or pretrain_on in "
            "params.yaml"
        )
    network = profile.network.model_dump(mode="json")
    return digest([core, network, profile.input.numbers(), origin])


def load_backbone(profile: Profile, layout: Layout, key: str, device: torch.device) -> nn.Module:
    """Return the frozen backbone in eval mode; it is trained where no file of ``key`` is yet."""
    backbone = new_backbone(profile.network, 0)[0]()
    if profile.network.weights is not None:
        path = layout.root / profile.network.weights
        state = _weights(path)
    else:
        path = layout.scratch / "frozen" / key
        content = read_sealed(path)
        if content is None:  # not there, or damaged
            index = read_index(layout.index, profile.pretrain_on or "")
            print(f"training the frozen backbone on {index.name}", flush=True)
            how = (profile.network, profile.train, profile.input)
            content = save(pretrained(*how, index, layout.scratch, device))
            write_sealed(path, content)
        state = load(content)
    if {k: v.shape for k, v in state.items()} != {
        k: v.shape for k, v in backbone.state_dict().items()
    }:
        raise UserError(f"{path}: its weights are not those of the profile's network block")
    backbone.load_state_dict(state)
    return backbone.to(device).eval()


def _weights(path: Path) -> dict[str, Tensor]:
    try:
        state: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(
            f"network.weights {path}: damaged, or no .safetensors ({' '.join(str(error).split())})"
        ) from None
    broken = next((name for name, one in state.items() if not one.isfinite().all()), None)
    if broken is not None:
        raise UserError(f"network.weights {path}: '{broken}' is not finite")
    return state


def backbone_source(profile: Profile) -> str:
    """Say in words what the frozen backbone is."""
    if profile.network.weights is not None:
        return f"frozen R(2+1)D of {profile.network.weights.name}"
    return f"frozen small R(2+1)D, {profile.network.pretrain_steps} steps on {profile.pretrain_on}"
