"""The local term of SAOE: people beside the right objects, linked into tubes through a video."""

from typing import Any

import torch
from torch import Tensor

from bench.errors import UserError
from bench.method import Batch, Context
from bench.models.objects import ObjectBased, divergence, spatial_histogram

PERSON = "person"


class Localised(ObjectBased):
    """Adds boxes [B,n,M,6] to the objects, where the profile has them."""

    weight: float = 1.0
    reach: float = 25 / 320
    priors: dict[str, list[float]] = {}

    person: int
    prior: Tensor
    _frames: int = 1  # of the data set that is embedded

    def build(self, ctx: Context) -> None:
        """Find the person among the objects; without one boxes are a UserError."""
        super().build(ctx)
        self.has_boxes = "boxes" in ctx.dims
        prior = torch.zeros(len(self.names), 9)
        for name, shares in self.priors.items():
            if name not in self.names or len(shares) != 9 or abs(sum(shares) - 1) > 1e-3:
                raise UserError(
                    f"{self.label}: priors of '{name}' must be nine shares that sum to 1, of an "
                    "object of the profile"
                )
            prior[self.names.index(name)] = torch.tensor(shares)
        self.register_buffer("prior", prior, persistent=False)
        if self.has_boxes:
            if PERSON not in self.names:
                raise UserError(f"{self.label}: boxes are there, but no object named '{PERSON}'")
            self.person = self.names.index(PERSON)

    def with_boxes(self, objects: Tensor, batch: Batch) -> Tensor:
        """Return [B,O + n·M·6], or the objects alone [B,O] where there are no boxes."""
        if not self.has_boxes:
            return objects
        boxes = batch.inputs["boxes"]
        self._frames = boxes.shape[1]
        return torch.cat([objects, boxes.flatten(1)], -1)

    def tubes(self, flat: Tensor, near: Tensor) -> Tensor:
        """Return the score [B,K] of the best tube: 0 in a video without people.

        ``flat`` [B,n·M·6] are boxes, ``near`` [K,O] the weights of the local objects.
        """
        if not self.has_boxes:
            return flat.new_zeros(len(flat), len(near))
        boxes = flat.view(len(flat), self._frames, -1, 6)
        return torch.stack([self._video(one, near) for one in boxes])

    def _video(self, boxes: Tensor, near: Tensor) -> Tensor:
        best: Tensor | None = None
        before: Any = None
        frames = 0
        for frame in boxes:
            people = frame[frame[:, 0] == self.person]
            if not len(people):
                continue
            own = people[:, 1, None] + self.weight * self._beside(people[:, 2:], frame, near)
            frames += 1
            if best is None:
                best = own
            else:
                link = overlap(before, people[:, 2:])  # [P',P]
                best = own + (best[:, None] + link[:, :, None]).amax(0)
            before = people[:, 2:]
        return near.new_zeros(len(near)) if best is None else best.amax(0) / frames

    def _beside(self, people: Tensor, frame: Tensor, near: Tensor) -> Tensor:
        """Return the second term of s(b|a) for each person and class, [P,K]."""
        things = frame[(frame[:, 0] >= 0) & (frame[:, 0] != self.person)]
        if not len(things):
            return people.new_zeros(len(people), len(near))
        number = things[:, 0].long()
        place = spatial_histogram(people[:, None], things[None, :, 2:])
        prior = self.prior[number]
        fits = torch.where(prior.any(-1), 1 - divergence(prior, place), 1.0)
        close = _gap(people[:, None], things[None, :, 2:]) <= self.reach
        value = things[:, 1] * close  # p(o|b), and b* is the largest of an object's
        best = value.new_zeros(len(people), near.shape[1])
        best = best.scatter_reduce(1, number.expand(len(people), -1), value, "amax")
        chosen = (value == best.gather(1, number.expand(len(people), -1))) & (value > 0)
        term = best.new_zeros(best.shape).scatter_reduce(
            1, number.expand(len(people), -1), value * fits * chosen, "amax"
        )
        found: Tensor = term @ near.T
        return found


def overlap(a: Tensor, b: Tensor) -> Tensor:
    """Return intersection over union of boxes [A,4] and [B,4]: [A,B]."""
    low = torch.maximum(a[:, None, :2], b[None, :, :2])
    high = torch.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    area_a, area_b = (a[:, 2:] - a[:, :2]).prod(-1), (b[:, 2:] - b[:, :2]).prod(-1)
    return shared / (area_a[:, None] + area_b[None] - shared).clamp(min=1e-9)


def _gap(a: Tensor, b: Tensor) -> Tensor:
    """Return the distance between boxes, 0 where they touch: [...,4], [...,4] → [...]."""
    apart = torch.maximum(b[..., :2] - a[..., 2:], a[..., :2] - b[..., 2:]).clamp(min=0)
    return apart.square().sum(-1).sqrt()
