"""The local term of SAOE: boxes of people near relevant objects, linked into tubes over time."""

from math import isfinite

import torch
from torch import Tensor

from bench.data.reference.class_names import key
from bench.errors import UserError
from bench.method import Batch, Classes, Context
from bench.models.objects import ObjectBased, divergence, keep_top, spatial_histogram
from bench.typing import Count

# The classes of MS-COCO without "person": the objects that boxes can have.
_COCO = """bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant,
stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe,
backpack, umbrella, handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite,
baseball bat, baseball glove, skateboard, surfboard, tennis racket, bottle, wine glass, cup, fork,
knife, spoon, bowl, banana, apple, sandwich, orange, broccoli, carrot, hot dog, pizza, donut, cake,
chair, couch, potted plant, bed, dining table, toilet, tv, laptop, mouse, remote, keyboard,
cell phone, microwave, oven, toaster, sink, refrigerator, book, clock, vase, scissors, teddy bear,
hair drier, toothbrush"""


class Localised(ObjectBased):
    """Score objects in the whole video and, if the profile has boxes, in the best person tube."""

    wants = ("boxes",)

    top: Count = 100  # T, objects per action in the whole video; published
    local_top: Count = 1  # n, objects per action near a person; published
    weight: float = 1.0  # w, weight of the objects near a person; published
    reach: float = 25.0  # pixels between a person's box and an object's; published
    frame: tuple[Count, Count] = (
        320,
        240,
    )  # frame size that ``reach`` refers to: UCF101's
    link: float = 1.0  # λ, weight of the overlap in a tube; from the released code
    priors: dict[str, list[float]] = {}  # object -> nine shares; without, position is ignored

    prior: Tensor
    has_prior: Tensor
    boxed: Tensor

    def build(self, ctx: Context) -> None:
        """Check the priors and, if there are boxes, find "person" among the objects."""
        super().build(ctx)
        for name, shares in self.priors.items():
            good = len(shares) == 9 and all(isfinite(one) and one >= 0 for one in shares)
            if not good or abs(sum(shares) - 1) > 1e-3:
                raise UserError(
                    f"{self.label}: priors of '{name}' must be nine numbers that sum to 1"
                )
        self.has_boxes = "boxes" in ctx.dims
        if self.has_boxes:
            self._place(ctx.seen.vectors)

    def relevance(self, classes: Classes) -> Tensor:
        """Return the weight of each object for each class, [K,O]."""
        return self.similarity(classes)

    def embed_video(self, batch: Batch) -> Tensor:
        """Return p(o|v) and, with boxes, n and the boxes of the n frames: [B, O + 1 + n·M·6]."""
        objects = super().embed_video(batch)
        if not self.has_boxes:
            return objects
        boxes = batch.inputs["boxes"]
        frames = boxes.new_full((len(boxes), 1), boxes.shape[1])
        return torch.cat([objects, frames, boxes.flatten(1)], -1)

    def embed_class(self, classes: Classes) -> Tensor:
        """Return the top objects' weights in the whole video and, with boxes, near a person."""
        globally = keep_top(self.relevance(classes), self.top, self.ranked)
        if not self.has_boxes:
            return globally
        locally = keep_top(self.similarity(classes), self.local_top, self.boxed)
        return torch.cat([globally, locally], -1)

    def score(self, video: Tensor, classes: Tensor) -> Tensor:
        """Return global(a) + tube(a), [B,K]."""
        count = len(self.names)
        globally = video[:, :count] @ classes[:, :count].T
        if not self.has_boxes or not len(video):
            return globally
        frames = int(video[0, count])
        boxes = video[:, count + 1 :].reshape(len(video), frames, -1, 6)
        people, corners = boxes[..., 0] == self.person, boxes[..., 2:]
        scores = boxes[..., 1, None] + self.weight * self.beside(boxes) @ classes[:, count:].T
        return globally + best_tube(scores, people, corners, self.link)

    def beside(self, boxes: Tensor) -> Tensor:
        """Return p(o|b*) (1 − JSD) of boxes [B,n,M,6] as people and objects: [B,n,M,O].

        b* is the most probable box of object o within reach of b; 0 where there is none.
        """
        corners, number = boxes[..., 2:], boxes[..., 0].long()
        b, thing = corners.unsqueeze(-2), corners.unsqueeze(-3)
        gap = torch.maximum(thing[..., :2] - b[..., 2:], b[..., :2] - thing[..., 2:]).clamp(min=0)
        near = (gap * gap.new_tensor(self.frame)).norm(dim=-1) <= self.reach
        sure = boxes[..., 1].unsqueeze(-2) * near * (number >= 0).unsqueeze(-2)  # [B,n,M,M]
        which = number.clamp(min=0)
        apart = divergence(self.prior[which].unsqueeze(-3), spatial_histogram(b, thing))
        fits = torch.where(self.has_prior[which].unsqueeze(-2), 1 - apart, 1)
        which = which.unsqueeze(-2).expand_as(sure)
        best = sure.new_zeros(*sure.shape[:-1], len(self.names))
        star = best.scatter_reduce(-1, which, sure, "amax").gather(-1, which) == sure
        found: Tensor = best.scatter_reduce(-1, which, sure * fits * star, "amax")
        return found

    def _place(self, like: Tensor) -> None:
        """Set the person's index, the objects that boxes can have [O] and the priors [O,9]."""
        places = {key(name): i for i, name in enumerate(self.names)}
        if "person" not in places:
            raise UserError(f"{self.label}: there are boxes, but no object is named 'person'")
        self.person = places["person"]
        prior = like.new_zeros(len(self.names), 9)
        for name, shares in self.priors.items():
            if key(name) not in places:
                raise UserError(
                    f"{self.label}: priors of '{name}', which is not an object; remove them"
                )
            prior[places[key(name)]] = prior.new_tensor(shares)
        coco = {key(name) for name in _COCO.split(",")}
        boxed = torch.tensor([key(name) in coco for name in self.names], device=like.device)
        if not (boxed & self.has_vector).any():  # boxes of another detector
            boxed = torch.arange(len(self.names), device=like.device) != self.person
        self.register_buffer("prior", prior)
        self.register_buffer("has_prior", prior.any(-1))
        self.register_buffer("boxed", boxed & self.has_vector)


def best_tube(scores: Tensor, people: Tensor, corners: Tensor, link: float) -> Tensor:
    """Return the score of each video's best tube: [B,n,M,K] of boxes [B,n,M,4] → [B,K].

    A tube has one of the boxes ``people`` [B,n,M] in each frame that has any. The best one has the
    largest sum, over frames that follow each other, of both scores and ``link`` times the overlap
    (dynamic programming); its score is the mean of its boxes', 0 in a video without people.
    """
    count, frames = scores.shape[0], scores.shape[1]
    links = scores.new_zeros(scores[:, 0].shape)  # [B,M,K] of the best tube that ends in each box
    sums, last = torch.zeros_like(links), torch.zeros_like(links)
    ends, boxes = people[:, 0], corners[:, 0]
    length = scores.new_zeros(count, 1, 1)
    for i in range(frames):
        own, here = scores[:, i], people[:, i]
        before = (links + last).masked_fill(~ends.unsqueeze(-1), -torch.inf).unsqueeze(2)
        overlaps = link * overlap(boxes, corners[:, i]).unsqueeze(-1)
        reached, origin = (before + overlaps).max(1)
        first = length == 0
        at = here.any(-1)[:, None, None]
        links = torch.where(at, torch.where(first, 0, reached + own), links)
        sums = torch.where(at, torch.where(first, 0, sums.gather(1, origin)) + own, sums)
        last = torch.where(at, own, last)
        ends = torch.where(at[..., 0], here, ends)
        boxes = torch.where(at, corners[:, i], boxes)
        length = length + at
    final = torch.where(length > 1, links, sums).masked_fill(~ends.unsqueeze(-1), -torch.inf)
    best = sums.gather(1, final.argmax(1, keepdim=True)) / length.clamp(min=1)
    return (best * (length > 0)).squeeze(1)


def overlap(a: Tensor, b: Tensor) -> Tensor:
    """Return intersection over union of boxes [...,A,4] and [...,B,4]: [...,A,B]."""
    a, b = a.unsqueeze(-2), b.unsqueeze(-3)
    sides = torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])
    shared = sides.clamp(min=0).prod(-1)
    area = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - shared
    return shared / area.where(area > 0, 1)
