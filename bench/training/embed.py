"""Embeddings of videos and classes by a trained method."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.data.input_store import InputReader
from bench.data.video.decode import VideoError
from bench.method import Batch, Classes, Method
from bench.models.r2plus1d import quick_backbones
from bench.training.device import to_device
from bench.training.distributed import ALONE, World

CHUNK = 64  # clips at a time
Inference = Literal["plain", "folded", "bf16"]
_DTYPES = {"folded": torch.float32, "bf16": torch.bfloat16}


@dataclass
class Embedded:
    """Embeddings of one data set.

    ``arrays``: video [N,D], class [K,D], label [N], row [N] of the index and, for methods with a
    score of their own, score [N,K]. ``names`` are the K classes, ``failed`` maps path to reason.
    """

    names: Sequence[str]
    arrays: dict[str, NDArray[np.float32] | NDArray[np.int32]]
    expected: int
    failed: dict[str, str] = field(default_factory=dict)


@torch.inference_mode()
def embed(
    method: Method,
    sources: Mapping[str, InputReader],
    paths: Sequence[str],
    rows: Sequence[int],
    labels: Sequence[int],
    classes: Classes,
    alive: Callable[[], None] = lambda: None,
    *,
    inference: Inference = "plain",
    world: World = ALONE,
) -> Embedded:
    """Embed ``rows`` (labels [N] index ``classes``); videos that fail are listed, not replaced.

    ``alive`` is called after every few videos. ``inference`` is as in the network's settings. The
    processes of a ``world`` share the videos, and each returns all embeddings. Raises
    FloatingPointError if an embedding is not finite.
    """
    device = classes.vectors.device
    method.eval()
    wanted = set(rows)
    failed = {
        paths[r]: why for s in sources.values() for r, why in s.failures.items() if r in wanted
    }
    usable = [(r, y) for r, y in zip(rows, labels, strict=True) if paths[r] not in failed]
    usable = usable[world.rank :: world.size]
    quick = quick_backbones(method, _DTYPES[inference]) if inference in _DTYPES else nullcontext()
    of_class = method.embed_class(classes).float()
    videos: list[Tensor] = []
    scores: list[Tensor] = []
    kept: list[tuple[int, int]] = []
    with quick:
        for start in range(0, len(usable), size := chunk(sources.values())):
            part = usable[start : start + size]
            read = _read(sources, part, paths, failed)
            if read:
                inputs = {name: to_device(value, device) for name, value in read[0].items()}
                y = torch.empty(0, dtype=torch.long, device=device)
                videos.append(_checked(method.embed_video(Batch(inputs, y)), len(read[1])).float())
                if method.score is not None:
                    scores.append(method.score(videos[-1], of_class).float().cpu())
                kept += read[1]
            alive()
    video = torch.cat(videos) if videos else of_class[:0]
    arrays: dict[str, NDArray[np.float32] | NDArray[np.int32]] = {
        "video": _array(video),
        "class": _array(of_class),
        "label": np.array([y for _, y in kept], np.int32),
        "row": np.array([row for row, _ in kept], np.int32),
    }
    if method.score is not None:
        none = torch.zeros(0, len(of_class))
        arrays["score"] = _array(torch.cat(scores) if scores else none)
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise FloatingPointError(f"{name} embeddings are not finite after training")
    mine = Embedded(list(classes.names), arrays, len(rows), failed)
    return mine if world.size == 1 else _whole(world.gather(mine), rows)


def _checked(found: Tensor, count: int) -> Tensor:
    if found.ndim != 2 or len(found) != count:
        raise ValueError(
            f"embed_video gave {list(found.shape)} for {count} videos, not [{count},D]: a video's "
            "clips are one embedding (bench.method.over_clips)"
        )
    return found


def _whole(everywhere: Sequence[Embedded], rows: Sequence[int]) -> Embedded:
    """Put what all processes embedded into the order of ``rows``."""
    first = everywhere[0]
    found = np.concatenate([one.arrays["row"] for one in everywhere])
    place = {row: i for i, row in enumerate(rows)}
    order = np.argsort([place[row] for row in found.tolist()], kind="stable")
    some = [one for one in everywhere if len(one.arrays["row"])] or everywhere[:1]
    arrays = {
        name: array
        if name == "class"
        else np.concatenate([one.arrays[name] for one in some])[order]
        for name, array in first.arrays.items()
    }
    failed = {path: why for one in everywhere for path, why in one.failed.items()}
    return Embedded(first.names, arrays, first.expected, failed)


def chunk(sources: Iterable[InputReader]) -> int:
    """Return how many videos to take at a time, so that memory does not grow with their clips."""
    return max(1, CHUNK // max(source.n for source in sources))


def _read(
    sources: Mapping[str, InputReader],
    part: list[tuple[int, int]],
    paths: Sequence[str],
    failed: dict[str, str],
) -> tuple[dict[str, Tensor], list[tuple[int, int]]] | None:
    """Read a chunk's inputs; if a file is broken, read one by one, so that only it is lost."""
    try:
        rows = [row for row, _ in part]
        return {name: s.test(rows) for name, s in sources.items()}, part
    except VideoError as error:
        if len(part) == 1:
            failed[paths[part[0][0]]] = error.reason
            return None
    singles = [got for one in part if (got := _read(sources, [one], paths, failed))]
    if not singles:
        return None
    joined = {name: torch.cat([inputs[name] for inputs, _ in singles]) for name in sources}
    return joined, [pair for _, pairs in singles for pair in pairs]


def _array(value: Tensor) -> NDArray[np.float32]:
    return value.cpu().numpy().astype(np.float32)
