"""Object probabilities of frames: torchvision's ImageNet classifiers, or a file of scores."""

import pickle
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn

from bench.errors import UserError, unknown

Scores = NDArray[np.float32]
Boxes = NDArray[np.float32]
Weights = Path | Literal["download"] | None  # a file of a state dict; None is an error that helps

# Two of ImageNet's names are one word, but for the capital; WordNet's synset has this one too.
_NO_OBJECT = ("__background__", "N/A")
_DOG = {"Cardigan": "Cardigan Welsh corgi"}


def categories(model: str) -> list[str]:
    """Return the names of a classifier's objects, as words; nothing is loaded."""
    names = weights_of("classifier", model).DEFAULT.meta["categories"]
    return [_DOG.get(name, name).replace("-", " ").lower() for name in names]


def load_classifier(
    model: str, weights: Weights, device: torch.device
) -> tuple[list[str], Callable[[NDArray[np.uint8]], Scores]]:
    """Return the objects' names and the model: frames uint8 [n,H,W,3] -> probabilities [n,O].

    ``model`` is any name in torchvision.models; frames are prepared as its weights ask for.
    """
    net, entry = open_model("classifier", model, weights, device)
    prepare = entry.transforms()

    @torch.inference_mode()
    def score(frames: NDArray[np.uint8]) -> Scores:
        images = torch.from_numpy(frames).to(device).permute(0, 3, 1, 2)
        found: Scores = net(prepare(images)).softmax(-1).cpu().numpy()
        return found

    return categories(model), score


def weights_of(what: Literal["classifier", "detector"], model: str) -> Any:
    """Return torchvision's enumeration of a model's weights, with their categories and transforms.

    An unknown model is a UserError with the nearest name.
    """
    models = _torchvision()
    package = models if what == "classifier" else models.detection
    names = [name for name in models.list_models(package) if not name.startswith("keypoint")]
    if model not in names:
        raise unknown(f"torchvision {what}", model, names)
    return models.get_model_weights(model)


def open_model(
    what: Literal["classifier", "detector"], model: str, weights: Weights, device: torch.device
) -> tuple[nn.Module, Any]:
    """Return a model of torchvision in eval mode and the entry of its weights.

    ``weights`` is a file of a state dict, or "download". A file that has the name of one of
    torchvision's files is taken for that one, any other for the default: frames are prepared so.
    """
    known = weights_of(what, model)
    named = weights.stem if isinstance(weights, Path) else ""
    entry = next((one for one in known if PurePosixPath(one.url).stem == named), known.DEFAULT)
    state = _downloaded(entry) if weights == "download" else _read(weights, model, entry)
    try:
        with torch.random.fork_rng(devices=[]), _fed(known, state):
            net: nn.Module = _torchvision().get_model(model, weights=entry, progress=False)
    except RuntimeError as error:  # load_state_dict's: a headline, then a line for each misfit
        lines = str(error).splitlines()
        why = lines[min(1, len(lines) - 1)].strip()[:120]
        raise UserError(f"weights {weights} are not those of {model}: {why}") from None
    return net.to(device).eval().requires_grad_(False), entry


def _torchvision() -> Any:
    from torchvision import models  # type: ignore[import-untyped]  # a second

    return models


@contextmanager
def _fed(known: Any, state: dict[str, Tensor]) -> Iterator[None]:
    """Let torchvision build a model with our state dict as if it had downloaded it.

    Only so is it the published model: what its builder does for weights (how inputs are scaled, the
    epsilons and kinds of norms, heads that are dropped) is not in the state dict.
    """
    known.get_state_dict = lambda *_, **__: state
    try:
        yield
    finally:
        del known.get_state_dict  # and the base class's shows again


def _downloaded(entry: Any) -> dict[str, Tensor]:
    try:
        state: dict[str, Tensor] = entry.get_state_dict(check_hash=True, weights_only=True)
    except (OSError, RuntimeError, pickle.UnpicklingError) as error:  # no network, another hash
        why = " ".join(str(error).split())[:120]
        raise UserError(
            f"weights cannot be downloaded ({why}); get {entry.url} and set weights to the file"
        ) from None
    return state


def _read(path: Path | None, model: str, entry: Any) -> dict[str, Tensor]:
    """Read a state dict; nothing of the file is executed."""
    if path is None or not path.is_file():
        where = "no weights are set" if path is None else f"weights {path} are missing"
        raise UserError(f"{model}: {where}; get {entry.url} and set weights to it, or to download")
    try:
        if path.suffix == ".safetensors":
            state: Any = load_file(path)
        else:
            with warnings.catch_warnings(action="ignore"):
                state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise UserError(f"weights {path} cannot be read ({error.strerror})") from None
    except Exception:  # bytes of any other kind make unpickling raise anything
        raise UserError(f"weights {path}: damaged, or more than tensors; not executed") from None
    tensors = state.values() if isinstance(state, dict) else [None]
    if not all(map(is_plain, tensors)):
        raise UserError(f"weights {path}: not a state dict, names and tensors; save that alone")
    broken = next((name for name, one in state.items() if not one.isfinite().all()), None)
    if broken is not None:
        raise UserError(f"weights {path}: '{broken}' is not finite")
    return dict(state)


def is_plain(weight: Any) -> bool:
    """Tell whether it is a tensor with its numbers in memory: not sparse, quantised or absent."""
    if not isinstance(weight, Tensor) or weight.layout != torch.strided:
        return False
    return not (weight.is_meta or weight.is_quantized)


def detected(model: str) -> list[str]:
    """Return the names of a detector's objects; nothing is loaded."""
    names = weights_of("detector", model).DEFAULT.meta["categories"]
    return [name for name in names if name not in _NO_OBJECT]


def load_detector(
    model: str, weights: Weights, device: torch.device, most: int = 20
) -> tuple[list[str], Callable[[NDArray[np.uint8]], Boxes]]:
    """Return the objects' names and the model: frames uint8 [n,H,W,3] -> boxes [n,most,6].

    A box is (number of its name, probability, x1, y1, x2, y2), the last four in parts of the
    frame; the most probable comes first, and −1, 0, … fill the rest. ``model`` is any COCO
    detector in torchvision.models.detection.
    """
    net, entry = open_model("detector", model, weights, device)
    prepare = entry.transforms()
    names = detected(model)
    number = torch.tensor(
        [-1 if name in _NO_OBJECT else names.index(name) for name in entry.meta["categories"]],
        device=device,
    )

    def rows(found: dict[str, Tensor], height: int, width: int) -> Tensor:
        order = found["scores"].argsort(descending=True, stable=True)
        what = number[found["labels"][order]]
        order, what = order[what >= 0][:most], what[what >= 0][:most]
        parts = found["boxes"][order] / torch.tensor([width, height] * 2, device=device)
        return torch.cat([what[:, None], found["scores"][order, None], parts.clamp(0, 1)], 1)

    @torch.inference_mode()
    def detect(frames: NDArray[np.uint8]) -> Boxes:
        boxes = np.zeros((len(frames), most, 6), np.float32)
        boxes[:, :, 0] = -1
        for frame, own in zip(frames, boxes, strict=True):  # one by one: memory of one
            image = prepare(torch.from_numpy(frame).to(device).permute(2, 0, 1))
            found = rows(net([image])[0], *frame.shape[:2]).cpu().numpy()
            own[: len(found)] = found
        return boxes

    return names, detect
