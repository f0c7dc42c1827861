"""CLIP in the directory format of the package transformers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bench.errors import UserError
from bench.features.hugging_face import READ, SAFE, brief, folder_digest, open_folder

Vectors = NDArray[np.float32]


class HuggingFaceClip:
    """A Hugging Face directory of model_type clip; nothing is downloaded.

    ``size`` is the shorter side that frames are resized to, ``digest`` stands for the files.
    """

    def __init__(self, folder: Path, device: torch.device | str = "cpu") -> None:
        """Open the directory; UserError says what it lacks or what is supported instead."""
        transformers, self._model, self._tokenizer = open_folder(folder)
        config = self._model.config
        if config.model_type != "clip":
            raise UserError(
                f"CLIP model {folder}: model_type {config.model_type}; give a Hugging Face "
                "directory of model_type clip, or one of open_clip"
            )
        self._model.to(device)
        self._device = torch.device(device)
        self._longest = config.text_config.max_position_embeddings
        self._processor = _processor(transformers, folder, config.vision_config.image_size)
        sides = dict(self._processor.size)
        self.size = int(sides.get("shortest_edge") or min(sides["height"], sides["width"]))
        self.digest = folder_digest(folder, READ)

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
        tokens = self._tokenizer(
            list(prompts),
            padding=True,
            truncation=True,
            max_length=self._longest,
            return_tensors="pt",
        ).to(self._device)
        pooled = self._model.text_model(
            input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]
        ).pooler_output
        return _array(self._model.text_projection(pooled))


def _processor(transformers: Any, folder: Path, size: int) -> Any:
    """Return the directory's image processor, or CLIP's own for images of ``size``."""
    described = ("preprocessor_config.json", "processor_config.json")
    if not any((folder / name).is_file() for name in described):
        square = {"height": size, "width": size}
        return transformers.CLIPImageProcessor(size={"shortest_edge": size}, crop_size=square)
    try:
        return transformers.AutoImageProcessor.from_pretrained(folder, **SAFE)
    except Exception as error:
        raise UserError(f"CLIP model {folder}: damaged preprocessing ({brief(error)})") from None


def _array(value: torch.Tensor) -> Vectors:
    return value.float().cpu().numpy()
