"""Features of segments by a frozen backbone: one pass over the videos for all methods and seeds."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load, load_file, save
from torch import Tensor, nn

from bench.config import Profile
from bench.data.index import Index, read_index
from bench.errors import UserError
from bench.files import digest, file_digest, read_sealed, write_sealed
from bench.layout import Layout
from bench.method import Batch, Classes, Context, Loss, Method, over_clips
from bench.training.backbone import new_backbone
from bench.training.batches import Batches
from bench.training.embed import chunk
from bench.training.inputs import Source, open_video, to_device
from bench.training.loop import train
from bench.video.read import VideoError


def backbone_key(profile: Profile, layout: Layout, core: str) -> str:
    """Return what decides the frozen backbone; UserError where the profile has none.

    It is ``network.weights``, or a classifier trained on the ``pretrain_on`` data set.
    """
    if profile.network.weights is not None:
        path = layout.root / profile.network.weights
        if not path.is_file():
            raise UserError(f"network.weights {path.resolve()} is missing; put the file there")
        origin = file_digest(path)
    elif profile.pretrain_on is not None:
        index = read_index(layout.index, profile.pretrain_on)
        origin = digest([index.digest, profile.train.numbers()])
    else:
        raise UserError(
            "no frozen backbone: give network.weights (a .safetensors) or pretrain_on in "
            "params.yaml"
        )
    network = profile.network.model_dump(mode="json")
    return digest([core, network, profile.input.numbers(), origin])


def load_backbone(profile: Profile, layout: Layout, key: str, device: torch.device) -> nn.Module:
    """Return the frozen backbone in eval mode; it is trained where no file of ``key`` is yet."""
    backbone = new_backbone(profile.network, 0)[0]()
    if profile.network.weights is not None:
        path = layout.root / profile.network.weights
        state = load_file(path)
    else:
        path = layout.scratch / "frozen" / key
        content = read_sealed(path)
        if content is None:  # not there, or damaged
            index = read_index(layout.index, profile.pretrain_on or "")
            print(f"training the frozen backbone on {index.name}", flush=True)
            content = save(_pretrain(profile, layout, index, device))
            write_sealed(path, content)
        state = load(content)
    if {k: v.shape for k, v in state.items()} != {
        k: v.shape for k, v in backbone.state_dict().items()
    }:
        raise UserError(f"{path}: its weights are not those of the profile's network block")
    backbone.load_state_dict(state)
    return backbone.to(device).eval()


def backbone_source(profile: Profile) -> str:
    """Say in words what the frozen backbone is."""
    if profile.network.weights is not None:
        return f"frozen R(2+1)D of {profile.network.weights.name}"
    return f"frozen small R(2+1)D, {profile.network.pretrain_steps} steps on {profile.pretrain_on}"


@torch.inference_mode()
def segment_features(
    backbone: nn.Module, clips: Source, count: int, failures: dict[int, str], device: torch.device
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


def _readable(
    clips: Source, rows: list[int], failures: dict[int, str]
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


def _pretrain(
    profile: Profile, layout: Layout, index: Index, device: torch.device
) -> dict[str, Tensor]:
    torch.manual_seed(0)
    source = open_video(index, profile.input, layout.scratch / "frames")
    rows = [row for row in range(len(index.paths)) if row not in source.failures]
    labels = index.labels[rows].tolist()
    batches = Batches({"video": source}, rows, labels, profile.train.batch, 0)
    classes = Classes(index.classes, torch.zeros(len(index.classes), 1, device=device))
    backbone, dim = new_backbone(profile.network, 0)
    method = _Classifier()
    method.build(Context(classes, {}, profile.network.head, backbone, dim))
    steps = {"steps": profile.network.pretrain_steps, "eval_every": 0, "checkpoint_every": 0}
    settings = profile.train.model_copy(update=steps)
    nowhere = Path(layout.scratch / "frozen" / "no-state")
    train(method.to(device), batches, classes, settings, nowhere, profile.input.workers)
    return {k: v.cpu().contiguous() for k, v in method.g.state_dict().items()}
