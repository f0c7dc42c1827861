"""The visual backbone: fresh for training from scratch, or frozen with features extracted once."""

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from bench.data.index import Index, read_index
from bench.errors import UserError
from bench.files import digest, locked, replacing
from bench.method import Batch, Classes, Context, Loss, Method, over_clips
from bench.models.r2plus1d import R2Plus1D
from bench.settings import Network
from bench.training.batches import Batches
from bench.training.embed import chunk
from bench.training.inputs import Source, Vectors, open_video, to_device
from bench.training.job import Job
from bench.training.loop import train


def new_backbone(network: Network, feature_dim: int) -> tuple[Callable[[], nn.Module], int]:
    """Return what makes a backbone and its output dimension; features [N,D] pass as they are."""
    if feature_dim:
        return nn.Identity, feature_dim
    return lambda: R2Plus1D(
        network.widths,
        network.blocks,
        network.stem,
        network.stem_stride,
        network.align,
        network.dropout,
    ), network.widths[-1]


def frozen_source(job: Job, index: Index, clips: Source, device: torch.device) -> Vectors:
    """Return a frozen backbone's features of every video, extracted once for all cells.

    The backbone is ``network.weights``, or a classifier trained on the ``pretrain_on`` data set.
    Features are the mean over the test clips. The cell's own random numbers are left as they were,
    so that the cell that happens to come first is like the others.
    """
    weights = job.network.weights
    pretrain = read_index(job.layout.index, job.pretrain_on) if job.pretrain_on else None
    if weights is None and pretrain is None:
        raise UserError("freeze_backbone needs network.weights or pretrain_on in the profile")
    settings = [job.network.model_dump(mode="json"), job.input.numbers()]
    key = digest([job.core, settings, pretrain.digest if pretrain else str(weights)])
    folder = job.layout.scratch / "frozen" / key
    path = folder / f"{index.name}-{index.digest}.safetensors"
    with locked(job.layout.scratch / "frozen.lock"):
        if not path.is_file():
            with torch.random.fork_rng():
                backbone = _backbone(job, pretrain, folder / "backbone.safetensors", device)
                features = _extract(backbone, clips, len(index.paths), device)
            with replacing(path) as part:
                save_file({"features": features}, part)
    return Vectors(load_file(path)["features"].numpy(), clips.failures)


@torch.inference_mode()
def _extract(backbone: nn.Module, clips: Source, count: int, device: torch.device) -> torch.Tensor:
    backbone.to(device).eval()
    features = torch.zeros(count, int(getattr(backbone, "dim", 0)))
    usable = [row for row in range(count) if row not in clips.failures]
    for start in range(0, len(usable), size := chunk([clips])):
        rows = usable[start : start + size]
        features[rows] = over_clips(backbone, to_device(clips.test(rows), device)).float().cpu()
    return features


def _backbone(job: Job, pretrain: Index | None, path: Path, device: torch.device) -> nn.Module:
    backbone = new_backbone(job.network, 0)[0]()
    if job.network.weights is not None:
        path = job.layout.root / job.network.weights
        if not path.is_file():
            raise UserError(f"network.weights {path} is missing")
    elif not path.is_file():
        assert pretrain is not None
        with replacing(path) as part:
            save_file(_pretrain(job, pretrain, device), part)
    backbone.load_state_dict(load_file(path))
    return backbone


class _Classifier(Method):
    """A plain softmax classifier: what the frozen backbone is trained as."""

    def build(self, ctx: Context) -> None:
        self.g = ctx.backbone()
        self.fc = nn.Linear(ctx.backbone_dim, len(ctx.seen))

    def loss(self, batch: Batch, seen: Classes) -> Loss:
        logits = self.fc(over_clips(self.g, batch.video))
        return nn.functional.cross_entropy(logits, batch.y), {}


def _pretrain(job: Job, index: Index, device: torch.device) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    source = open_video(index, job.input, job.layout.scratch / "frames")
    rows = [row for row in range(len(index.paths)) if row not in source.failures]
    batches = Batches({"video": source}, rows, index.labels[rows].tolist(), job.train.batch, 0)
    classes = Classes(index.classes, torch.zeros(len(index.classes), 1, device=device))
    backbone, dim = new_backbone(job.network, 0)
    method = _Classifier()
    method.build(Context(classes, {}, job.network.head, backbone, dim))
    steps = job.network.pretrain_steps
    settings = job.train.model_copy(update={"steps": steps, "eval_every": 0, "checkpoint_every": 0})
    nowhere = job.layout.scratch / "frozen" / "no-state"
    train(method.to(device), batches, classes, settings, nowhere, job.input.workers)
    return {k: v.cpu().contiguous() for k, v in method.g.state_dict().items()}
