"""What a cell's method is given: its videos' inputs, its classes, its objects."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from bench.data.index import Index
from bench.data.input_reader import FeatureReader, InputReader
from bench.data.input_store import read_classes, read_objects, read_videos
from bench.data.video.clip_reader import ClipReader
from bench.method import Classes, Method, as_tensor_classes
from bench.training.job import Job

OF_VIDEOS = ("features", "objects", "boxes", "clip")
OF_CLASSES = ("texts", "signatures", "clip")


class MissingInput(Exception):
    """The method needs an input that this profile does not have."""


def open_sources(job: Job, method: Method, index: Index) -> dict[str, InputReader]:
    """Open what the method is given of a data set's videos."""
    sources: dict[str, InputReader] = {}
    for name in dict.fromkeys([*method.needs, *(n for n in method.wants if n in job.inputs)]):
        if name == "clips" and index.kind == "features":
            raise MissingInput(f"needs clips, but data set {index.name} has features only")
        if name == "video" and method.freeze_backbone:
            sources["video"] = _stored(job, "features", index)
        elif name in ("video", "clips"):
            frames = job.layout.scratch / "frames"
            is_clips = index.kind == "videos"
            sources["video"] = (
                ClipReader.open(index, job.input, frames) if is_clips else FeatureReader.open(index)
            )
        elif name in OF_VIDEOS:
            sources[name] = _stored(job, name, index)
    return sources


def _stored(job: Job, name: str, index: Index) -> InputReader:
    if name == "features" and index.kind == "features":
        return FeatureReader.open(index)
    if name not in job.inputs:
        raise MissingInput(f"needs {name}; run 'bench stage inputs'")
    array, failures = read_videos(job.layout.inputs / name, index.name, len(index.paths))
    return FeatureReader(array, index.broken_rows("cannot be decoded") | failures)


def open_classes(
    job: Job, index: Index, names: Sequence[str], vectors: Mapping[str, Any], device: torch.device
) -> Classes:
    """Return some classes of a data set with what the method is given of classes."""
    chosen = [index.classes.index(name) for name in names]
    own = {
        name: read_classes(job.layout.inputs / name, index.name, len(index.classes))[chosen]
        for name in job.inputs
        if name in OF_CLASSES
    }
    return as_tensor_classes(names, np.stack([vectors[c] for c in names]), device, own)


def open_objects(job: Job, device: torch.device) -> Classes | None:
    """Return the objects that the method's scores or boxes count in."""
    if not {"objects", "boxes", "signatures"} & set(job.inputs):
        return None
    names, vectors, others = read_objects(job.layout.inputs / "objects")
    return as_tensor_classes(names, vectors, device, others)
