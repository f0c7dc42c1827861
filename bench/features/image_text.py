"""Image-text models of the CLIP kind: embeddings of frames and of class prompts."""

import json
import logging
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional as F

from bench.errors import UserError
from bench.features.text_encoder import (
    LETTERS,
    READ,
    SAFE,
    brief,
    check,
    folder_digest,
    open_folder,
    package,
    spoken,
)

Vectors = NDArray[np.float32]
CONFIG = "open_clip_config.json"

_BATCH = 256  # prompts at a time
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")  # Hugging Face's; shards have an index
_OPEN_CLIP_WEIGHTS = (".safetensors", ".bin", ".pth")
_VOCABULARIES = (
    *("tokenizer.json", "vocab.json", "vocab.txt"),
    *("tokenizer.model", "spiece.model", "sentencepiece.bpe.model"),
)
# Other settings drop tokens at random, read files from elsewhere or download them.
_TOKENIZER_SETTINGS = {"clean", "strip_sep_token", "additional_special_tokens", "language"}


class ImageText(Protocol):
    """A model of a checkpoint directory. Nothing is downloaded.

    ``size`` is the length of the shorter side that frames are resized to; ``digest`` identifies
    the files of the directory.
    """

    size: int
    digest: str

    def images(self, frames: NDArray[np.uint8]) -> Vectors:
        """Return the embeddings [n,D], not normalised, of frames [n,H,W,3] of any size."""

    def texts(self, prompts: Sequence[str]) -> Vectors:
        """Return the embeddings [K,D], not normalised, of K > 0 prompts; long ones are cut."""


def open_image_text(folder: Path, device: torch.device | str = "cpu") -> ImageText:
    """Open a CLIP directory of transformers or open_clip. Raises UserError if it is incomplete.

    Many published directories are both; transformers reads them.
    """
    if (folder / CONFIG).is_file() and not _is_hugging_face(folder):
        return OpenClip(folder, device)
    return HuggingFaceClip(folder, device)


def _is_hugging_face(folder: Path) -> bool:
    """Tell whether the directory has CLIP's weights in the format of transformers."""
    try:
        kind = json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    files = [folder / f"{name}{end}" for name in _WEIGHTS for end in ("", ".index.json")]
    return kind == "clip" and any(file.is_file() for file in files)


def class_embeddings(model: ImageText, names: Sequence[str], templates: Sequence[str]) -> Vectors:
    """Return [K,D] of unit length: the mean over ``templates`` of the unit text embeddings.

    ``{}`` in a template is replaced by the class name as words: ``a video of a person {}.``
    """
    bad = next((one for one in templates if "{}" not in one), None)
    if bad is not None or not templates:
        what = "there is none" if bad is None else f"'{bad}' has no {{}}"
        raise UserError(f"inputs.clip.templates: {what}; write e.g. 'a video of a person {{}}.'")
    words = [spoken(name) or name for name in names]
    # Not str.format: a template may contain other braces.
    prompts = [template.replace("{}", name) for name in words for template in templates]
    parts = [model.texts(prompts[i : i + _BATCH]) for i in range(0, len(prompts), _BATCH)]
    units = F.normalize(torch.from_numpy(np.concatenate(parts)), dim=-1)
    mean = units.view(len(names), len(templates), -1).mean(1)
    unit: Vectors = F.normalize(mean, dim=-1).numpy()
    return unit


class HuggingFaceClip:
    """``ImageText`` from a Hugging Face directory of model_type clip."""

    def __init__(self, folder: Path, device: torch.device | str = "cpu") -> None:
        """Open the directory. Raises UserError if it is incomplete or not supported."""
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

        They are preprocessed as in the directory's preprocessor_config.json, or else as for CLIP:
        shorter side resized by a bicubic filter, centre crop, CLIP's mean and deviation.
        """
        made = self._processor(
            images=list(frames), return_tensors="pt", input_data_format="channels_last"
        )
        pooled = self._model.vision_model(made["pixel_values"].to(self._device)).pooler_output
        return _array(self._model.visual_projection(pooled))

    @torch.inference_mode()
    def texts(self, prompts: Sequence[str]) -> Vectors:
        """Return the projected embeddings [K,D], not normalised; long prompts are cut."""
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


class OpenClip:
    """``ImageText`` from a directory of any open_clip architecture that is scored by cosine.

    This includes models trained with a sigmoid (SigLIP): their scale and bias change no ranking.
    """

    def __init__(self, folder: Path, device: torch.device | str = "cpu") -> None:
        """Open the directory. Raises UserError if it is incomplete or not supported."""
        open_clip = package("open_clip", "clip", folder)
        text = _text_config(folder)
        tower = _text_tower(folder, text, open_clip.hf_model.arch_dict)
        safe = SAFE if text.get("hf_tokenizer_name") else {}
        place = f"local-dir:{folder}"
        try:
            with torch.random.fork_rng(devices=[]), _silent():
                self._model, self._prepare = open_clip.create_model_from_pretrained(
                    place, device=torch.device(device), weights_only=True, **tower
                )
                self._tokenize = open_clip.get_tokenizer(place, **safe)
            spelt = self._tokenize(LETTERS)
            shape = self._prepare(Image.new("RGB", (3, 2))).shape
        except Exception as error:  # what open_clip raises depends on the file and its version
            raise UserError(f"model {folder}: open_clip cannot read it ({brief(error)})") from None
        check(folder, self._model, spelt.tolist())
        self._model.eval()
        self._folder, self._device = folder, torch.device(device)
        self._words = int(getattr(self._model, "text", self._model).vocab_size)
        self.size = min(shape[1:])
        self.digest = folder_digest(folder, (*READ, *_OPEN_CLIP_WEIGHTS))

    @torch.inference_mode()
    def images(self, frames: NDArray[np.uint8]) -> Vectors:
        """Return the embeddings [n,D], not normalised, of frames [n,H,W,3].

        open_clip preprocesses them as in the directory's ``preprocess_cfg``.
        """
        pixels = torch.stack([self._prepare(Image.fromarray(frame)) for frame in frames])
        return _array(self._model.encode_image(pixels.to(self._device), normalize=False))

    @torch.inference_mode()
    def texts(self, prompts: Sequence[str]) -> Vectors:
        """Return the embeddings [K,D], not normalised; long prompts are cut."""
        tokens = self._tokenize(list(prompts))
        if int(tokens.max()) >= self._words:
            raise UserError(
                f"model {self._folder}: its tokenizer returned token {int(tokens.max())}, but its "
                f"text tower only has {self._words}; they do not belong together"
            )
        return _array(self._model.encode_text(tokens.to(self._device), normalize=False))


def _text_config(folder: Path) -> dict[str, Any]:
    """Return the block text_cfg; UserError if open_clip would have to download something."""
    path = folder / CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))["model_cfg"]
        text, vision = dict(config["text_cfg"]), dict(config["vision_cfg"])
        settings = sorted(set(text.get("tokenizer_kwargs") or {}) - _TOKENIZER_SETTINGS)
        where = str(vision.get("timm_model_name") or "").rpartition(":")[0]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: damaged ({brief(error)}); restore it") from None
    if settings:
        raise UserError(f"{path}: tokenizer_kwargs.{settings[0]} is not supported; leave it out")
    if where:
        raise UserError(f"{path}: timm_model_name is in {where}; name an architecture of timm")
    if not any(file.suffix in _OPEN_CLIP_WEIGHTS for file in folder.iterdir()):
        raise UserError(
            f"model {folder}: no weights; add open_clip_model.safetensors or "
            "open_clip_pytorch_model.bin"
        )
    if name := text.get("hf_tokenizer_name"):
        package("transformers", "clip", folder).logging.set_verbosity_error()
        if not any((folder / file).is_file() for file in _VOCABULARIES):
            raise UserError(
                f"model {folder}: its tokenizer {name} is missing, and nothing is downloaded; "
                "add its files (tokenizer.json, tokenizer_config.json, …)"
            )
    return text


def _text_tower(folder: Path, text: dict[str, Any], known: Container[str]) -> dict[str, Any]:
    """Return the arguments that build a text tower from the directory's config.json."""
    name = text.get("hf_model_name")
    if not name:
        return {}
    package("transformers", "clip", folder)
    path = folder / "config.json"
    try:
        kind = json.loads(path.read_text(encoding="utf-8"))["model_type"]
        fits = kind in known  # for these, transformers runs its own code, never the folder's
    except (OSError, ValueError, KeyError, TypeError):
        fits = False
    if not fits:
        raise UserError(
            f"model {folder}: its text tower {name} is described elsewhere, and nothing is "
            f"downloaded; add the config.json of {name}"
        )
    return {"text_cfg": text | {"hf_model_name": str(folder), "hf_model_pretrained": False}}


@contextmanager
def _silent() -> Iterator[None]:
    """Drop open_clip's messages to the root logger: the first would configure it for all."""
    root, nowhere = logging.getLogger(), logging.NullHandler()
    root.addHandler(nowhere)
    try:
        yield
    finally:
        root.removeHandler(nowhere)


def _array(value: torch.Tensor) -> Vectors:
    return value.float().cpu().numpy()
