"""The object classifier of the embedded world: a small network that names the shape in a frame.

It takes the place of an ImageNet classifier and is trained on images of single objects. They are
rendered for it and move only as the pretext classes do, so that they contain no video of a data
set and no tested pair of shape and motion.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import affine_grid, cross_entropy, grid_sample

from bench.data.synthetic.moving_shapes import render
from bench.data.synthetic.vocabulary import PRETEXT_MOTIONS, PRETEXT_SHAPES, SHAPES

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
