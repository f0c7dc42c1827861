"""Image-text models of the CLIP kind: embeddings of frames and of class prompts."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from bench.errors import UserError
from bench.files import digest, file_digest
from bench.words.rule import split

Vectors = NDArray[np.float32]
SUPPORTED = "a Hugging Face directory of model_type clip (config.json, weights, tokenizer)"

_READ = (".json", ".txt", ".model", ".safetensors", ".bin")  # what transformers reads of a folder
_BATCH = 256  # prompts at a time


class ClipModel:
    """A CLIP checkpoint directory of the package transformers; nothing is downloaded.

    ``size`` is the shorter side that frames are resized to, ``digest`` stands for the files.
    """

    def __init__(self, folder: Path, device: torch.device | str = "cpu") -> None:
        """Open the directory; UserError says what it lacks or what is supported instead."""
        if (folder / "open_clip_config.json").is_file() and not (folder / "config.json").is_file():
            raise UserError(f"CLIP model {folder}: open_clip's format; give {SUPPORTED}")
        package, self._model, self._tokenizer = open_folder(folder)
        config = self._model.config
        if config.model_type != "clip":
            raise UserError(
                f"CLIP model {folder}: model_type {config.model_type}; give {SUPPORTED}"
            )
        self._model.to(device)
        self._device = torch.device(device)
        self._longest = config.text_config.max_position_embeddings
        self._processor = _processor(package, folder, config.vision_config.image_size)
        sides = dict(self._processor.size)
        self.size = int(sides.get("shortest_edge") or min(sides["height"], sides["width"]))
        files = sorted(f for f in folder.iterdir() if f.suffix in _READ and f.is_file())
        self.digest = digest({file.name: file_digest(file) for file in files})

    @torch.inference_mode()
    def images(self, frames: NDArray[np.uint8]) -> Vectors:
        """Return the projected embeddings [n,D], not normalised, of frames [n,H,W,3].

        Resized, cropped and normalised as the directory's preprocessor_config.json says, else as
        CLIP: shorter side by a bicubic filter, centre crop, CLIP's mean and deviation.
        """
        made = self._processor(
            images=list(frames), return_tensors="pt", input_data_format="channels_last"
        )
        pooled = self._model.vision_model(made["pixel_values"].to(self._device)).pooler_output
        return _array(self._model.visual_projection(pooled))

    @torch.inference_mode()
    def texts(self, prompts: Sequence[str]) -> Vectors:
        """Return the projected embeddings [K,D], not normalised; a long prompt is cut."""
        found = [np.zeros((0, self._model.config.projection_dim), np.float32)]
        for start in range(0, len(prompts), _BATCH):
            tokens = self._tokenizer(
                list(prompts[start : start + _BATCH]),
                padding=True,
                truncation=True,
                max_length=self._longest,
                return_tensors="pt",
            ).to(self._device)
            pooled = self._model.text_model(
                input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]
            ).pooler_output
            found.append(_array(self._model.text_projection(pooled)))
        return np.concatenate(found)


def class_embeddings(model: ClipModel, names: Sequence[str], templates: Sequence[str]) -> Vectors:
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
    units = F.normalize(torch.from_numpy(model.texts(prompts)), dim=-1)
    mean = units.view(len(names), len(templates), -1).mean(1)
    return _array(F.normalize(mean, dim=-1))


def open_folder(folder: Path, spare: str | None = None) -> tuple[Any, Any, Any]:
    """Return the package transformers, a folder's model in float32 and eval mode, its tokenizer.

    Weights are read from safetensors or with torch's weights_only; no code of the folder runs.
    UserError if the package, the folder or a weight is missing; weights named ``spare…`` may be.
    """
    try:
        package: Any = import_module("transformers")
    except ImportError:
        raise UserError(f"{folder} needs transformers: pip install 'aurl-bench[text]'") from None
    if not (folder / "config.json").is_file():
        why = "has no config.json" if folder.is_dir() else "is no directory"
        raise UserError(f"model {folder} {why}; give a Hugging Face model directory")
    package.logging.set_verbosity_error()
    package.logging.disable_progress_bar()
    safe = {"local_files_only": True, "trust_remote_code": False}
    try:
        model, info = package.AutoModel.from_pretrained(folder, output_loading_info=True, **safe)
        tokenizer = package.AutoTokenizer.from_pretrained(folder, **safe)
    except Exception as error:  # what transformers raises depends on the file and its version
        why = " ".join(str(error).split())[:200]
        raise UserError(f"model {folder}: transformers cannot read it ({why})") from None
    # transformers draws missing weights at random, with no more than a warning.
    lacking = sorted(k for k in info["missing_keys"] if spare is None or not k.startswith(spare))
    if lacking:
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        raise UserError(f"model {folder}: its weights lack {lacking[0]}{more}; restore the files")
    return package, model.float().eval(), tokenizer


def _processor(package: Any, folder: Path, size: int) -> Any:
    """Return the directory's image processor, or CLIP's own for images of ``size``."""
    described = ("preprocessor_config.json", "processor_config.json")
    if not any((folder / name).is_file() for name in described):
        square = {"height": size, "width": size}
        return package.CLIPImageProcessor(size={"shortest_edge": size}, crop_size=square)
    try:
        return package.AutoImageProcessor.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except Exception as error:
        why = " ".join(str(error).split())[:200]
        raise UserError(f"CLIP model {folder}: damaged image preprocessing ({why})") from None


def _array(value: torch.Tensor) -> Vectors:
    return value.float().cpu().numpy()
