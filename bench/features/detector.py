"""Objects in frames: torchvision's COCO detectors, and where objects lie beside people."""

import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.errors import UserError
from bench.features.classifier import Weights, open_model, weights_of
from bench.models.objects import spatial_histogram

Boxes = NDArray[np.float32]
_NO_OBJECT = ("__background__", "N/A")


def categories(model: str) -> list[str]:
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
    names = categories(model)
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


def spatial_priors(annotations: Path) -> dict[str, list[float]]:
    """Return object -> nine numbers, where it lies beside a person, from COCO's instances JSON.

    The mean of ``spatial_histogram`` over all pairs of a person and another object in an image,
    crowds left out; an object that is never beside a person has no entry.
    """
    by_image, names = _annotated(annotations)
    sums: dict[str, Any] = defaultdict(lambda: np.zeros(9))
    pairs: dict[str, int] = defaultdict(int)
    for objects in by_image.values():
        people = [i for i, (name, _) in enumerate(objects) if name == "person"]
        for i, (name, box) in enumerate(objects):
            beside = [objects[person][1] for person in people if person != i]
            if beside:
                shares = spatial_histogram(
                    torch.from_numpy(np.stack(beside)), torch.from_numpy(box)
                )
                sums[name] += shares.sum(0).numpy()
                pairs[name] += len(beside)
    if not pairs:
        raise UserError(f"annotations {annotations}: no object beside a person; is it COCO's?")
    return {name: (sums[name] / pairs[name]).tolist() for name in names if name in pairs}


def _annotated(path: Path) -> tuple[dict[Any, list[tuple[str, NDArray[Any]]]], list[str]]:
    """Return image -> (object, box x1, y1, x2, y2) and the names of the objects."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        names = {one["id"]: str(one["name"]) for one in raw["categories"]}
        found: dict[Any, list[tuple[str, NDArray[Any]]]] = defaultdict(list)
        for one in raw["annotations"]:
            x, y, width, height = map(float, one["bbox"])
            if width > 0 and height > 0 and not one.get("iscrowd"):
                box = np.array([x, y, x + width, y + height])
                found[one["image_id"]].append((names[one["category_id"]], box))
    except FileNotFoundError:
        raise UserError(
            f"annotations {path} are missing; get COCO's instances_train2017.json"
        ) from None
    except (ValueError, OSError, KeyError, TypeError) as error:
        raise UserError(f"annotations {path}: not COCO's instances ({error!r})") from None
    return found, list(names.values())
