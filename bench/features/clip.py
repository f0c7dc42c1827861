"""Image-text models of the CLIP kind: embeddings of frames and of class prompts."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from bench.data.words.tokenise import split
from bench.errors import UserError
from bench.features.clip_open_clip import CONFIG, OpenClip
from bench.features.clip_transformers import HuggingFaceClip

Vectors = NDArray[np.float32]

_BATCH = 256  # prompts at a time
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")  # Hugging Face's; shards have an index


class ImageText(Protocol):
    """A checkpoint directory: ``size`` is the shorter side that frames are resized to.

    ``digest`` stands for its files.
    """

    size: int
    digest: str

    def images(self, frames: NDArray[np.uint8]) -> Vectors:
        """Return the embeddings [n,D], not normalised, of frames [n,H,W,3] of any size."""

    def texts(self, prompts: Sequence[str]) -> Vectors:
        """Return the embeddings [K,D], not normalised, of K > 0 prompts; a long one is cut."""


def open_image_text(folder: Path, device: torch.device | str = "cpu") -> ImageText:
    """Open a CLIP directory of transformers or of open_clip; UserError says what it lacks.

    One that is both, as many published ones are, is read by transformers.
    """
    if (folder / CONFIG).is_file() and not _is_hugging_face(folder):
        return OpenClip(folder, device)
    return HuggingFaceClip(folder, device)


def _is_hugging_face(folder: Path) -> bool:
    """Return whether CLIP's weights are there as transformers has them."""
    try:
        kind = json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    files = [folder / f"{name}{end}" for name in _WEIGHTS for end in ("", ".index.json")]
    return kind == "clip" and any(file.is_file() for file in files)


def class_embeddings(model: ImageText, names: Sequence[str], templates: Sequence[str]) -> Vectors:
    """Return [K,D] of unit length: the mean over ``templates`` of the unit text embeddings.

    A template has ``{}`` where the class name stands, in words: ``a video of a person {}.``
    """
    bad = next((one for one in templates if "{}" not in one), None)
    if bad is not None or not templates:
        what = "there is none" if bad is None else f"'{bad}' has no {{}}"
        raise UserError(f"inputs.clip.templates: {what}; write e.g. 'a video of a person {{}}.'")
    spoken = [" ".join(split("", name)) or name for name in names]
    # Not str.format: a template may hold other braces.
    prompts = [template.replace("{}", name) for name in spoken for template in templates]
    parts = [model.texts(prompts[i : i + _BATCH]) for i in range(0, len(prompts), _BATCH)]
    units = F.normalize(torch.from_numpy(np.concatenate(parts)), dim=-1)
    mean = units.view(len(names), len(templates), -1).mean(1)
    unit: Vectors = F.normalize(mean, dim=-1).numpy()
    return unit
