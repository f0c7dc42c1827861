"""Networks that name objects in frames: torchvision's, and a small one for the embedded world."""

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
from torch.nn.functional import affine_grid, cross_entropy, grid_sample

from bench.data.reference import pretraining_classes
from bench.data.synthetic.corpus import PRETEXT_MOTIONS, PRETEXT_SHAPES, SHAPES
from bench.data.synthetic.moving_shapes import render
from bench.errors import UserError, unknown

Frames = NDArray[np.uint8]
Scores = NDArray[np.float32]
Boxes = NDArray[np.float32]
Kind = Literal["classifier", "detector"]
Weights = Path | Literal["download"] | None  # file of a state dict; None raises an error that helps

_NO_OBJECT = ("__background__", "N/A")


def load_classifier(
    model: str, weights: Weights, device: torch.device
) -> tuple[list[str], Callable[[Frames], Scores]]:
    """Return the names of the objects and a function.

    The function maps frames uint8 [n,H,W,3] to probabilities [n,O]. ``model`` is any
    name in torchvision.models; frames are preprocessed as its weights require.
    """
    net, entry = open_model("classifier", model, weights, device)
    prepare = entry.transforms()

    @torch.inference_mode()
    def score(frames: Frames) -> Scores:
        images = torch.from_numpy(frames).to(device).permute(0, 3, 1, 2)
        found: Scores = net(prepare(images)).softmax(-1).cpu().numpy()
        return found

    return pretraining_classes("imagenet1k"), score


def load_detector(
    model: str, weights: Weights, device: torch.device, most: int = 20
) -> tuple[list[str], Callable[[Frames], Boxes]]:
    """Return the names of the objects and a function.

    The function maps frames uint8 [n,H,W,3] to boxes [n,most,6]: index of its name, probability,
    x1, y1, x2, y2 as fractions of the frame. Boxes are sorted by probability and padded with
    (−1, 0, …). ``model`` is any COCO detector in torchvision.models.detection.
    """
    net, entry = open_model("detector", model, weights, device)
    prepare = entry.transforms()
    names = pretraining_classes("coco")
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
    def detect(frames: Frames) -> Boxes:
        boxes = np.zeros((len(frames), most, 6), np.float32)
        boxes[:, :, 0] = -1
        for frame, own in zip(frames, boxes, strict=True):  # one by one, to save memory
            image = prepare(torch.from_numpy(frame).to(device).permute(2, 0, 1))
            found = rows(net([image])[0], *frame.shape[:2]).cpu().numpy()
            own[: len(found)] = found
        return boxes

    return names, detect


def open_model(
    what: Kind, model: str, weights: Weights, device: torch.device
) -> tuple[nn.Module, Any]:
    """Return a torchvision model in eval mode and the entry of its weights.

    The entry decides how frames are preprocessed. It is the one whose published file has the name
    of ``weights``, otherwise the default. UserError: unknown model, missing or unfit weights.
    """
    models = _torchvision()
    package = models if what == "classifier" else models.detection
    names = [name for name in models.list_models(package) if not name.startswith("keypoint")]
    if model not in names:
        raise unknown(f"torchvision {what}", model, names)
    known = models.get_model_weights(model)
    named = weights.stem if isinstance(weights, Path) else ""
    entry = next((one for one in known if PurePosixPath(one.url).stem == named), known.DEFAULT)
    state = _downloaded(entry) if weights == "download" else _read(weights, model, entry)
    try:
        with torch.random.fork_rng(devices=[]), _fed(known, state):
            net: nn.Module = models.get_model(model, weights=entry, progress=False)
    except RuntimeError as error:  # of load_state_dict: a headline, then a line for each mismatch
        lines = str(error).splitlines()
        why = lines[min(1, len(lines) - 1)].strip()[:120]
        raise UserError(f"weights {weights} are not those of {model}: {why}") from None
    return net.to(device).eval().requires_grad_(False), entry


def _torchvision() -> Any:
    from torchvision import models  # type: ignore[import-untyped]  # takes a second

    return models


@contextmanager
def _fed(known: Any, state: dict[str, Tensor]) -> Iterator[None]:
    """Let torchvision build a model with our state dict as if it had downloaded it.

    Only its builder makes the published model: it sets what a state dict does not contain, such as
    the scaling of inputs, the kinds and epsilons of norms, and heads that are dropped.
    """
    known.get_state_dict = lambda *_, **__: state
    try:
        yield
    finally:
        del known.get_state_dict  # uncovers the method of the base class


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
    """Read a state dict without executing anything in the file."""
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
    except Exception:  # unpickling arbitrary bytes can raise anything
        raise UserError(f"weights {path}: damaged, or more than tensors; not executed") from None
    tensors = state.values() if isinstance(state, dict) else [None]
    if not all(map(is_plain, tensors)):
        raise UserError(f"weights {path}: not a state dict; save only names and tensors")
    broken = next((name for name, one in state.items() if not one.isfinite().all()), None)
    if broken is not None:
        raise UserError(f"weights {path}: '{broken}' is not finite")
    return dict(state)


def is_plain(weight: Any) -> bool:
    """Tell whether it is a dense tensor in memory: not sparse, quantised or on device ``meta``."""
    if not isinstance(weight, Tensor) or weight.layout != torch.strided:
        return False
    return not (weight.is_meta or weight.is_quantized)


OBJECTS = (*SHAPES, *PRETEXT_SHAPES)
_VIDEOS, _FRAMES = 16, 4  # of each object and pretext motion
_STEPS, _BATCH = 300, 64
_SIDE = 24
_BRIGHT = 0.6  # of white: a shape's colour has 0.85 or more, the scene's blobs less
_REACH = 2.0  # half the side of what the network sees, in deviations of the bright pixels


class _Net(nn.Sequential):
    def __init__(self) -> None:
        layers: list[nn.Module] = []
        inputs = 1
        for width in (16, 32, 64):
            layers += [nn.Conv2d(inputs, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)]
            layers += [nn.ReLU(inplace=True), nn.MaxPool2d(2)]
            inputs = width
        super().__init__(*layers, nn.Flatten(), nn.Linear(64 * 9, len(OBJECTS)))


def shapes_classifier(
    size: int, device: torch.device
) -> tuple[list[str], Callable[[NDArray[np.uint8]], NDArray[np.float32]]]:
    """Train the classifier on frames of ``size`` pixels (six seconds); return names and model.

    The model maps frames uint8 [n,H,W,3] to probabilities [n,O]. It is trained on the CPU, where
    the same numbers come out every time, and the caller's random numbers are left as they were.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the number of threads decides the order of sums
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            net = _trained(size).to(device).eval()
    finally:
        torch.set_num_threads(threads)

    @torch.inference_mode()
    def model(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        found: Tensor = net(_centred(torch.from_numpy(frames).to(device))).softmax(-1)
        return found.cpu().numpy()

    return list(OBJECTS), model


def _trained(size: int) -> nn.Module:
    images, labels = _drawn(size)
    net = _Net()
    optimiser = torch.optim.SGD(net.parameters(), 0.05, 0.9, weight_decay=5e-4, nesterov=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, _STEPS)
    for _ in range(_STEPS):
        chosen = torch.randint(len(images), (_BATCH,))
        loss = cross_entropy(net(images[chosen]), labels[chosen])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return net


def _drawn(size: int) -> tuple[Tensor, Tensor]:
    """Return the training images [N,1,24,24] and their objects [N]."""
    images, labels = [], []
    for label, shape in enumerate(OBJECTS):
        for motion in PRETEXT_MOTIONS:
            for index in range(_VIDEOS):
                video = render("mini_objects", f"{shape} {motion}", index, _FRAMES, size)
                images.append(_centred(torch.from_numpy(video)))
                labels += [label] * len(video)
    return torch.cat(images), torch.tensor(labels)


def _centred(frames: Tensor) -> Tensor:
    """Cut the bright pixels, wherever and however large, out of uint8 [n,H,W,3]: [n,1,24,24].

    Colour says nothing about the shape; without it, three hundred steps suffice.
    """
    light = frames.amax(-1).float() / 255
    bright = (light > _BRIGHT).float()
    weight = bright / bright.sum((1, 2), keepdim=True).clamp(min=1)
    x = torch.linspace(-1, 1, light.shape[2], device=light.device)
    y = torch.linspace(-1, 1, light.shape[1], device=light.device)[:, None]
    middle = torch.stack([(weight * x).sum((1, 2)), (weight * y).sum((1, 2))], 1)
    spread = (weight * (x**2 + y**2)).sum((1, 2)) - middle.square().sum(1)
    scale = _REACH * spread.clamp(min=0.01).sqrt()
    turn = torch.cat(
        [torch.eye(2, device=light.device) * scale[:, None, None], middle[:, :, None]], 2
    )
    grid = affine_grid(turn, [len(light), 1, _SIDE, _SIDE], align_corners=True)
    return grid_sample(light[:, None], grid, padding_mode="border", align_corners=True) - 0.4
