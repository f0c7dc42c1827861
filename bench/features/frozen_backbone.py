"""The frozen backbone: its weights or its training, and the features of segments that it computes.

The hash of this module, with all that it imports, is part of the key of the features
(``Workspace.code``). It therefore does not import the schema of whole profiles: a new setting there
would recompute the features of all videos.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load, load_file, save
from torch import Tensor, nn

from bench.config.paths import Layout
from bench.config.schema import Input, Network, Train
from bench.data.index import Index
from bench.data.input_store import InputReader
from bench.data.video.clip_reader import ClipReader
from bench.data.video.decode import VideoError
from bench.errors import UserError
from bench.method import Batch, Classes, Context, Loss, Method, over_clips
from bench.models.r2plus1d import new_backbone
from bench.training.cell_inputs import Batches, open_cell
from bench.training.device import to_device
from bench.training.embed import chunk
from bench.training.trainer import train
from bench.utils.io import digest, file_digest, read_sealed, write_sealed


@dataclass(frozen=True)
class FrozenBackbone:
    """One backbone for all methods and seeds.

    Its weights are those of ``network.weights`` or of a classifier trained on ``pretrain_on``.
    """

    layout: Layout
    network: Network
    train: Train
    input: Input
    pretrain_on: Index | None = None

    @property
    def source(self) -> str:
        """What the backbone is, in words."""
        if self.network.weights is not None:
            return f"frozen R(2+1)D of {self.network.weights.name}"
        name = self.pretrain_on.name if self.pretrain_on else "nothing"
        return f"frozen small R(2+1)D, {self.network.pretrain_steps} steps on {name}"

    def key(self, code: str) -> str:
        """Return what decides the weights, given the hash of the code that trains them.

        Raises UserError where the profile gives no backbone.
        """
        if self.network.weights is not None:
            path = self.layout.root / self.network.weights
            if not path.is_file():
                raise UserError(f"network.weights {path.resolve()} is missing; put the file there")
            origin = file_digest(path)
        elif self.pretrain_on is not None:
            if self.pretrain_on.kind == "features":
                raise UserError(f"pretrain_on: {self.pretrain_on.name} has features, not videos")
            origin = digest([self.pretrain_on.digest, self.train.numbers()])
        else:
            raise UserError(
                "no frozen backbone: give network.weights (a .safetensors) or pretrain_on in "
                "params.yaml"
            )
        network = self.network.model_dump(mode="json")
        return digest([code, network, self.input.numbers(), origin])

    def load(self, key: str, device: torch.device) -> nn.Module:
        """Return the backbone in eval mode; train it where no file of this key exists yet."""
        backbone = new_backbone(self.network, 0)[0]()
        if self.network.weights is not None:
            path = self.layout.root / self.network.weights
            state = self._read_weights()
        else:
            path = self.layout.scratch / "frozen" / key
            content = read_sealed(path)
            if content is None:  # missing or damaged
                content = save(self._trained(device))
                write_sealed(path, content)
            state = load(content)
        if {k: v.shape for k, v in state.items()} != {
            k: v.shape for k, v in backbone.state_dict().items()
        }:
            raise UserError(f"{path}: its weights are not those of the profile's network block")
        backbone.load_state_dict(state)
        return backbone.to(device).eval()

    def _read_weights(self) -> dict[str, Tensor]:
        path = self.layout.root / (self.network.weights or "")
        try:
            state: dict[str, Tensor] = load_file(path)
        except (OSError, SafetensorError) as error:
            why = " ".join(str(error).split())
            raise UserError(f"network.weights {path}: damaged or no .safetensors ({why})") from None
        broken = next((name for name, one in state.items() if not one.isfinite().all()), None)
        if broken is not None:
            raise UserError(f"network.weights {path}: '{broken}' is not finite")
        return state

    def _trained(self, device: torch.device) -> dict[str, Tensor]:
        """Train a classifier of ``pretrain_on``; return the weights of its backbone."""
        index, scratch = self.pretrain_on, self.layout.scratch
        assert index is not None
        print(f"training the frozen backbone on {index.name}", flush=True)
        torch.manual_seed(0)
        clips = ClipReader.open(index, self.input, scratch / "frames")
        rows = [row for row in range(len(index.paths)) if row not in clips.failures]
        labels = index.labels[rows].tolist()
        batches = Batches({"video": clips}, rows, labels, self.train.batch, 0)
        classes = Classes(index.classes, torch.zeros(len(index.classes), 1, device=device))
        method = _Classifier()
        open_cell(method, self.network, classes, {})
        steps = {"steps": self.network.pretrain_steps, "eval_every": 0, "checkpoint_every": 0}
        settings = self.train.model_copy(update=steps)
        state = scratch / "frozen" / "no-state"
        train(method.to(device), batches, classes, settings, state, self.input.workers)
        return {k: v.cpu().contiguous() for k, v in method.g.state_dict().items()}


class _Classifier(Method):
    """The plain softmax classifier that the backbone is trained in."""

    def build(self, ctx: Context) -> None:
        self.g = ctx.backbone()
        self.fc = nn.Linear(ctx.backbone_dim, len(ctx.seen))

    def loss(self, batch: Batch, seen: Classes) -> Loss:
        logits = self.fc(over_clips(self.g, batch.video))
        return nn.functional.cross_entropy(logits, batch.y), {}


@torch.inference_mode()
def segment_features(
    backbone: nn.Module,
    clips: InputReader,
    count: int,
    failures: dict[int, str],
    device: torch.device,
) -> Iterator[NDArray[np.float32]]:
    """Yield the features [k,n,D] of rows 0 … ``count`` − 1, a few rows at a time.

    A video that cannot be read has zeros; its row is added to ``failures`` with the reason.
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
    """Yield the rows with their clips; where one cannot be read, row by row, to lose only that."""
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
