"""TARN (Bishay et al., BMVC 2019): compare each segment with a class."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.errors import UserError
from bench.method import Batch, Classes, Context, Loss, Method


class TARN(Method):
    """Learn a relation score from comparisons of each segment of a video with the class vector.

    h_i [E] is segment i of n after a bidirectional GRU, z_c = FC(ReLU(FC(c))) [E] the class
    (numbered here): (1) r_i = [‖h_i − z_c‖, cos(h_i, z_c)], two numbers; (2) score(x, c) = mean
    over i of FC(ReLU(FC(r_i))); (3) L = binary cross-entropy of the scores against "c is y", over
    an episode of the batch's classes and others, drawn at each step. The paper's attention
    aligns segments with those of an example; here each segment is compared with the class vector.

    One segment is enough: then the GRU sees a sequence of one. Exact: the GRU, the two layers on
    the class side, the comparison of segments by Euclidean distance and cosine, the average,
    episodic training. Approximated: the profile's features, scaled to entries around 1, instead of
    C3D; word vectors where the paper takes 115 attributes of UCF101; width of the layers; size of
    an episode (five classes in the paper's few-shot part). The paper's text was not available.
    """

    label = "TARN"
    needs = ("features",)
    approximates = "other segment features; word vectors instead of attributes; layer widths"
    whole_batch = True  # an episode contains the classes of the batch

    width: int = 128  # E, twice the width of the GRU; not published here
    episode: int = 20  # classes of an episode; not published here

    def build(self, ctx: Context) -> None:
        """Make the GRU, the class layers and the comparison layers."""
        if self.width % 2:
            raise UserError(f"TARN: width {self.width} must be even, for two directions")
        e = self.width
        self.gru = nn.GRU(ctx.dims["features"], e // 2, batch_first=True, bidirectional=True)
        self.of_class = nn.Sequential(nn.Linear(ctx.word_dim, e), nn.ReLU(), nn.Linear(e, e))
        self.compare = nn.Sequential(nn.Linear(2, e), nn.ReLU(), nn.Linear(e, 1))

    def embed_video(self, batch: Batch) -> Tensor:
        """Return the h_i, flattened: [B,n·E]."""
        x = batch.inputs["features"]
        unit = F.normalize(x, dim=-1) * x.shape[-1] ** 0.5  # entries around 1, as a GRU expects
        found: Tensor = self.gru(unit)[0].flatten(1)
        return found

    def embed_class(self, classes: Classes) -> Tensor:
        """Return z [K,E]."""
        z: Tensor = self.of_class(classes.vectors)
        return z

    def score(self, video: Tensor, classes: Tensor) -> Tensor:
        """Equation (2), [B,K]; 32 classes at a time, to limit memory."""
        segments = video.view(len(video), -1, self.width)
        return torch.cat([self._scores(segments, part) for part in torch.split(classes, 32)], 1)

    def loss(self, batch: Batch, seen: Classes) -> Loss:
        """Equation (3)."""
        classes = self._episode(batch.y, len(seen))
        z = self.of_class(seen.vectors[classes])
        scores = self.score(self.embed_video(batch), z)
        loss = F.binary_cross_entropy_with_logits(scores, (classes == batch.y[:, None]).float())
        return loss, {"L_relation": loss}

    def _episode(self, y: Tensor, count: int) -> Tensor:
        """Return the classes [k] of an episode: those in ``y`` and random others."""
        own = torch.zeros(count, device=y.device).index_fill(0, y, 2.0)
        chance = torch.rand(count, device=y.device)
        size = min(count, max(self.episode, int((own > 0).sum())))
        return (own + chance).topk(size).indices

    def _scores(self, segments: Tensor, z: Tensor) -> Tensor:
        apart = torch.cdist(segments, z, compute_mode="donot_use_mm_for_euclid_dist")  # [B,n,k]
        alike = F.normalize(segments, dim=-1) @ F.normalize(z, dim=-1).T
        found: Tensor = self.compare(torch.stack([apart, alike], -1))
        return found.mean((1, 3))
