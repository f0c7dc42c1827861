"""How each input is made for one data set: (what it is made by, digest of the result).

A maker raises NotDescribed where the profile says nothing of its input, and Lacking where this data
set cannot have it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bench.data.input_store import failed_videos, is_current, write_classes, write_videos
from bench.data.reference.class_names import key as spelling
from bench.data.synthetic.generate import SIZE
from bench.errors import UserError
from bench.features.classifier import load_classifier, read_scores
from bench.features.clip import class_embeddings, open_image_text
from bench.features.detector import load_detector
from bench.features.frozen_backbone import is_readable, segment_features
from bench.features.objects import read_signatures
from bench.features.segments import backbone_key, backbone_source, load_backbone
from bench.features.shapes import shapes_classifier
from bench.features.texts import class_texts
from bench.features.workspace import Array, Lacking, Model, NotDescribed, Work
from bench.training.embed import chunk
from bench.training.sources import open_video
from bench.utils.io import digest, file_digest
from bench.utils.progress import track


def features(work: Work, dataset: str) -> tuple[str, str]:
    """Segments' features: the data set's own, or those of the frozen backbone."""
    index = work.index(dataset)
    if index.kind == "features":
        return f"{index.root.name}", index.digest
    profile, layout = work.profile, work.layout
    core = work.code("features/frozen_backbone")
    key = work.once("backbone key", lambda: backbone_key(profile, layout, core))
    segments = profile.inputs.features.segments
    stamp = digest([key, segments, index.digest])
    folder = layout.inputs / "features"
    settings = profile.input.model_copy(update={"test_clips": segments})
    found = is_current(folder, dataset, stamp)
    lost = failed_videos(folder, dataset) if found else ()
    clips = None if found and not lost else open_video(index, settings, layout.scratch / "frames")
    if clips is not None and (not found or any(is_readable(clips, row) for row in lost)):
        with torch.random.fork_rng():
            device = work.device
            backbone = work.once("backbone", lambda: load_backbone(profile, layout, key, device))
            failures: dict[int, str] = {}
            count = len(index.paths)
            parts = segment_features(backbone, clips, count, failures, device)
            steps = -(-count // chunk([clips]))
            parts = track(parts, steps, f"features {dataset}")
            write_videos(folder, dataset, stamp, parts, count, failures)
        found = is_current(folder, dataset, stamp)
    return f"{backbone_source(profile)}, {segments} segments", found


def texts(work: Work, dataset: str) -> tuple[str, str]:
    """Encoded definitions of the classes."""
    described = work.profile.inputs.texts
    if described is None:
        raise NotDescribed
    encoder = work.once("encoder", lambda: work.encoder)
    try:
        classes = work.index(dataset).classes
        array = encoder.encode(class_texts(work.profile, work.layout.root, dataset, classes))
    except UserError as error:
        raise Lacking(str(error)) from None
    source = "generated definitions" if described.kind == "generated" else "definitions"
    return f"{source}, {encoder.name}", write_classes(work.layout.inputs / "texts", dataset, array)


def objects(work: Work, dataset: str) -> tuple[str, str]:
    """Object probabilities of frames."""
    described = work.profile.inputs.objects
    if described is None:
        raise NotDescribed
    names, vocabulary = work.once("objects", lambda: work.objects)
    device = work.device
    if described.kind == "scores":
        found, source = _given_scores(work, dataset, len(names))
        return source, digest([vocabulary, found])
    if described.kind == "shapes":
        bank, model = work.once("shapes", lambda: shapes_classifier(SIZE, device))
        key: Any = work.code("features/shapes")
        side = None
        source = f"{len(bank)} shapes, small classifier of single frames"
    else:
        path = described.weights and work.layout.root / described.weights
        weights: Any = "download" if str(described.weights) == "download" else path
        bank, model = work.once(
            "classifier", lambda: load_classifier(described.model, weights, device)
        )
        origin = file_digest(path) if path and path.is_file() else str(weights)
        key, side = [work.code("features/classifier"), described.model, origin], 256
        source = f"{len(bank)} ImageNet classes, {described.model}"
    padded = _padded(model, len(names)) if len(names) > len(bank) else model
    found = work.of_frames("objects", dataset, described.frames, side, padded, [key, len(names)])
    return source, digest([vocabulary, found])


def _padded(model: Model, count: int) -> Model:
    """Give the objects that boxes alone know a probability of 0."""

    def padded(frames: NDArray[np.uint8]) -> Array:
        found = model(frames)
        return np.pad(found, ((0, 0), (0, count - found.shape[1])))

    return padded


def _given_scores(work: Work, dataset: str, count: int) -> tuple[str, str]:
    described = work.profile.inputs.objects
    assert described is not None
    if dataset not in described.files:
        raise Lacking(f"inputs.objects.files names no .npz for data set {dataset}")
    path = (work.layout.root / described.files[dataset]).resolve()
    index, folder = work.index(dataset), work.layout.inputs / "objects"
    try:
        origin = file_digest(path) if path.is_file() else ""
        code = work.code("features/classifier", "data/input_store")
        stamp = digest([code, origin, index.digest, count])
        if not is_current(folder, dataset, stamp):
            scores = read_scores(path, index)
            wide = np.pad(scores, ((0, 0), (0, 0), (0, count - scores.shape[2])))
            write_videos(folder, dataset, stamp, iter([wide]), len(wide), {})
    except UserError as error:
        raise Lacking(str(error)) from None
    return is_current(folder, dataset, stamp), f"scores of {path.name}"


def signatures(work: Work, dataset: str) -> tuple[str, str]:
    """Each class's attributes in their order."""
    described = work.profile.inputs.signatures
    if described is None:
        raise NotDescribed
    names, _ = work.once("objects", lambda: work.objects)
    path: Path = (work.layout.root / described).resolve()
    try:
        array = read_signatures(path, work.index(dataset).classes, names)
    except UserError as error:
        raise Lacking(str(error)) from None
    return path.name, write_classes(work.layout.inputs / "signatures", dataset, array)


def boxes(work: Work, dataset: str) -> tuple[str, str]:
    """Detections on frames, their objects numbered as the profile's."""
    described = work.profile.inputs.boxes
    if described is None:
        raise NotDescribed
    names, vocabulary = work.once("objects", lambda: work.objects)
    path = work.layout.root / described.weights
    weights: Any = "download" if str(described.weights) == "download" else path
    known, model = work.once(
        "detector",
        lambda: load_detector(described.model, weights, work.device, described.most),
    )
    place = {spelling(name): i for i, name in enumerate(names)}
    order = np.array([place[spelling(name)] for name in known] + [-1], np.float32)

    def numbered(frames: NDArray[np.uint8]) -> Array:
        found: Array = model(frames)
        found[..., 0] = order[found[..., 0].astype(np.int64)]
        return found

    origin = file_digest(weights) if isinstance(weights, Path) else str(weights)
    code = work.code("features/detector")
    key = [code, described.model, origin, described.most, order.tolist()]
    found = work.of_frames("boxes", dataset, described.frames, 480, numbered, key)
    return f"COCO boxes, {described.model}", digest([vocabulary, found])


def clip(work: Work, dataset: str) -> tuple[str, str]:
    """Embeddings of frames and of classes by an image-text model."""
    described = work.profile.inputs.clip
    if described is None:
        raise NotDescribed
    folder = (work.layout.root / described.folder).resolve()
    model = work.once("clip", lambda: open_image_text(folder, work.device))
    try:
        classes = class_embeddings(model, work.index(dataset).classes, described.templates)
    except UserError as error:
        raise Lacking(str(error)) from None
    own = write_classes(work.layout.inputs / "clip", dataset, classes)
    key = [work.code("features/clip"), model.digest]
    # Frames of their own size: the model resizes with its own filter.
    found = work.of_frames("clip", dataset, described.frames, None, model.images, key)
    return f"{folder.name}, {described.frames} frames", digest([own, found])


MAKERS: dict[str, Callable[[Work, str], tuple[str, str]]] = {
    "features": features,
    "texts": texts,
    "objects": objects,
    "signatures": signatures,
    "boxes": boxes,
    "clip": clip,
}
