"""The frozen backbone's training and its features: what decides them is here and below.

So the hash of this file, with what it imports, is part of their key (``Work.code``); reading
params.yaml is not among that, or each change of it would have all videos read again.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.config.schema import Input, Network, Train
from bench.data.index import Index
from bench.data.input_reader import InputReader
from bench.data.video.clip_reader import ClipReader
from bench.data.video.decode import VideoError
from bench.method import Batch, Classes, Context, Loss, Method, over_clips
from bench.models.r2plus1d import new_backbone
from bench.training.batches import Batches
from bench.training.device_feed import to_device
from bench.training.embed import chunk
from bench.training.loop import train


@torch.inference_mode()
def segment_features(
    backbone: nn.Module,
    clips: InputReader,
    count: int,
    failures: dict[int, str],
    device: torch.device,
) -> Iterator[NDArray[np.float32]]:
    """Yield the features [k,n,D] of rows 0 … ``count`` − 1; zeros for a video that fails.

    Such rows are added to ``failures`` with the reason.
    """
    failures.update(clips.failures)
    for start in range(0, count, size := chunk([clips])):
        rows = range(start, min(start + size, count))
        features = np.zeros((len(rows), clips.n, int(getattr(backbone, "dim", 0))), np.float32)
        usable = [row for row in rows if row not in failures]
        for part in _readable(clips, usable, failures):
            flat = to_device(part[1], device)
            found = backbone(flat.flatten(0, 1)).float().cpu()
            features[[row - start for row in part[0]]] = found.view(len(part[0]), clips.n, -1)
        yield features


def is_readable(clips: InputReader, row: int) -> bool:
    """Tell whether a video's test clips can be read now."""
    return row not in clips.failures and any(True for _ in _readable(clips, [row], {}))


def _readable(
    clips: InputReader, rows: list[int], failures: dict[int, str]
) -> Iterator[tuple[list[int], Tensor]]:
    """Yield the rows with their clips; where one breaks, each alone, so that it alone is lost."""
    if not rows:
        return
    try:
        yield rows, clips.test(rows)
    except VideoError as error:
        if len(rows) == 1:
            failures[rows[0]] = error.reason
            return
        for row in rows:
            yield from _readable(clips, [row], failures)


class _Classifier(Method):
    """A plain softmax classifier: what the frozen backbone is trained as."""

    def build(self, ctx: Context) -> None:
        self.g = ctx.backbone()
        self.fc = nn.Linear(ctx.backbone_dim, len(ctx.seen))

    def loss(self, batch: Batch, seen: Classes) -> Loss:
        logits = self.fc(over_clips(self.g, batch.video))
        return nn.functional.cross_entropy(logits, batch.y), {}


def pretrained(
    network: Network, settings: Train, how: Input, index: Index, scratch: Path, device: torch.device
) -> dict[str, Tensor]:
    """Return the weights of a backbone after ``network.pretrain_steps`` steps on a data set.

    ``settings`` say the rest of the schedule, ``how`` a video becomes clips; decoded frames are
    kept below ``scratch``.
    """
    torch.manual_seed(0)
    source = ClipReader.open(index, how, scratch / "frames")
    rows = [row for row in range(len(index.paths)) if row not in source.failures]
    labels = index.labels[rows].tolist()
    batches = Batches({"video": source}, rows, labels, settings.batch, 0)
    classes = Classes(index.classes, torch.zeros(len(index.classes), 1, device=device))
    backbone, dim = new_backbone(network, 0)
    method = _Classifier()
    method.build(Context(classes, {}, network.head, backbone, dim))
    steps = {"steps": network.pretrain_steps, "eval_every": 0, "checkpoint_every": 0}
    settings = settings.model_copy(update=steps)
    train(
        method.to(device), batches, classes, settings, scratch / "frozen" / "no-state", how.workers
    )
    return {k: v.cpu().contiguous() for k, v in method.g.state_dict().items()}
