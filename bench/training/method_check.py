"""The contract test of a method, on tiny clips, tiny features and tiny inputs of every kind."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bench.config.schema import Network
from bench.data.input_store import FeatureReader
from bench.errors import UserError
from bench.experiments.method_registry import MethodFile, blame, load
from bench.method import Batch, Classes, Method, create
from bench.training.cell_inputs import Batches, open_cell

_SEEN, _TEST, _VIDEOS, _PARTS, _OBJECTS, _WORDS, _HEAD = 6, 4, 8, 3, 7, 10, 16
_DECLARED = ("label", "needs", "wants", "learning", "approximates", "modern", "freeze_backbone")
_TINY = Network(stem=4, widths=(4, 8), blocks=(1, 1), head=_HEAD)


def check_method(file: MethodFile) -> list[str]:
    """Return what is wrong with a method, a line each; an empty list means that it will run."""
    try:
        kind = load(file)
    except UserError as error:
        return [str(error)]
    complaints = []
    if not kind.label:
        complaints.append(f"{file.name}: 'label' is empty, so its row has no name")
    if misread := _misread(kind, file):
        return [*complaints, *misread]
    videos = {"inputs": torch.zeros(_VIDEOS, 1, 0)}
    if {"video", "clips"} & set(kind.needs):
        videos = {"clips": torch.randn(_VIDEOS, 1, 3, 4, 16, 16)}
    if "video" in kind.needs:
        videos["features"] = torch.randn(_VIDEOS, 1, 12)
    for what, video in videos.items():
        for also in {(), kind.wants}:
            try:
                found = _exercise(kind, file.path, video, {*kind.needs, *also})
                complaints += [f"{file.name} on {what}: {c}" for c in found]
            except Exception as error:
                complaints.append(f"{blame(error, file.path)} (on {what})")
    return list(dict.fromkeys(complaints))


def _misread(kind: type[Method], file: MethodFile) -> list[str]:
    """Return what the class declares otherwise than its text, which tables and plans go by."""
    found = []
    for name in _DECLARED:
        value, read = getattr(kind, name), getattr(file, name)
        if value != read and (value or name != "label"):
            fitting = tuple(value) if isinstance(value, list) else value
            found.append(
                f"methods/{file.name}.py: {name} is {value!r}, but {read!r} to those who read its "
                f"text without running it; write {name} = {fitting!r} in the class itself"
            )
    return found


def _exercise(kind: type[Method], path: Path, video: Tensor, given: set[str]) -> list[str]:
    torch.manual_seed(0)
    seen, test = _classes("seen", _SEEN, given), _classes("test", _TEST, given)
    counted = {"objects", "boxes", "signatures"} & given
    objects = _classes("object", _OBJECTS, given) if counted else None
    method = create(kind, {})
    inputs = tiny_inputs(given)
    if {"video", "clips"} & given:
        inputs["video"] = video
    dims = {name: 0 if value.ndim > 4 else value.shape[-1] for name, value in inputs.items()}
    open_cell(method, _TINY, seen, dims, objects)
    batch = Batch(inputs, torch.arange(_VIDEOS) % _SEEN)
    found = []
    if method.fit is not None:
        sources = {name: FeatureReader(value.numpy(), {}) for name, value in inputs.items()}
        rows = list(range(_VIDEOS))
        method.fit(Batches(sources, rows, batch.y.tolist(), _VIDEOS, 0), seen)
    elif kind.learning == "steps":
        found = _step(method, batch, seen)
    method.eval()
    with torch.inference_mode():
        v = method.embed_video(Batch(batch.inputs, batch.y[:0]))
        s = method.embed_class(test)
        again = method.embed_video(Batch(batch.inputs, batch.y[:0]))
        for name, value in (("embed_video", v), ("embed_class", s)):
            if not isinstance(value, Tensor):
                return [*found, f"{name} gave {type(value).__name__}, not a tensor"]
        scores = None if method.score is None else method.score(v, s)
    if v.ndim != 2 or len(v) != _VIDEOS:
        found.append(f"embed_video gave {list(v.shape)}, not [{_VIDEOS}, D]")
    elif "video" in inputs:
        found += _of_two_clips(method, path, inputs, v)
    if s.ndim != 2 or len(s) != _TEST:
        found.append(f"embed_class gave {list(s.shape)}, not [{_TEST}, D]")
    elif scores is not None and scores.shape != (_VIDEOS, _TEST):
        found.append(f"score gave {list(scores.shape)}, not [{_VIDEOS}, {_TEST}]")
    elif scores is None and s.shape[-1] != v.shape[-1]:
        found.append(f"video and class dimensions differ ({v.shape[-1]} and {s.shape[-1]})")
    if not torch.equal(v, again):
        found.append("embed_video differs from call to call in eval mode")
    if not all(e.isfinite().all() for e in (v, s, scores) if e is not None):
        found.append("an embedding or a score is not finite")
    return found


def _of_two_clips(
    method: Method, path: Path, inputs: dict[str, Tensor], single: Tensor
) -> list[str]:
    """Embed videos of two clips: training gives one of each, a test as many as the profile says."""
    hint = "with 2 clips a video, as in a test; average over them with over_clips()"
    two = inputs | {"video": inputs["video"].repeat_interleave(2, 1)}
    try:
        with torch.inference_mode():
            v = method.embed_video(Batch(two, torch.arange(0)))
    except Exception as error:
        return [f"{blame(error, path)} {hint}"]
    # A score of one's own may take as many dimensions as there are clips.
    if v.shape[: 1 if method.score else 2] != single.shape[: 1 if method.score else 2]:
        return [f"embed_video gave {list(v.shape)}, not {list(single.shape)}, {hint}"]
    return []


def _step(method: Method, batch: Batch, seen: Classes) -> list[str]:
    weights = list(method.parameters())
    if not weights:
        return ["has no parameters to train; override fit(), or set learning = 'none'"]
    optimiser = torch.optim.SGD(weights, 0.01)
    answer: Any = method.loss(batch, seen)
    pair = isinstance(answer, tuple) and len(answer) == 2
    if not pair or not isinstance(answer[1], dict):
        return [
            f"loss() gave {_kinds(answer)}, not the loss and a dict of its named parts; write "
            'return loss, {"L": loss}'
        ]
    loss, parts = answer
    for name, value in {"the loss": loss, **{f"part '{n}'": p for n, p in parts.items()}}.items():
        if not isinstance(value, Tensor):
            return [f"{name} that loss() gave is a {type(value).__name__}, not a tensor"]
    if loss.ndim != 0 or not loss.isfinite():
        return [f"loss is {loss.tolist()}, not one finite number"]
    before = [w.detach().clone() for w in weights]
    if loss.requires_grad:
        loss.backward()
        optimiser.step()
    found = [f"part '{name}' of the loss is not one number" for name, p in parts.items() if p.ndim]
    if all(torch.equal(a, b) for a, b in zip(before, weights, strict=True)):
        found.append("a training step changes no parameter")
    return found


def _kinds(answer: Any) -> str:
    inner = ", ".join(type(one).__name__ for one in answer) if isinstance(answer, tuple) else ""
    return type(answer).__name__ + f" ({inner})" * bool(inner)


def tiny_inputs(given: set[str]) -> dict[str, Tensor]:
    """Return inputs of videos for ``given``, as ``Batch`` describes them, for tests."""
    made = {
        "features": torch.randn(_VIDEOS, _PARTS, 12),
        "objects": torch.randn(_VIDEOS, _PARTS, _OBJECTS).softmax(-1),
        "clip": torch.randn(_VIDEOS, _PARTS, 9),
    }
    low, size = torch.rand(_VIDEOS, _PARTS, 5, 2) * 0.5, torch.rand(_VIDEOS, _PARTS, 5, 2) * 0.4
    what = torch.randint(-1, _OBJECTS, (_VIDEOS, _PARTS, 5, 1)).float()
    sure = torch.rand(_VIDEOS, _PARTS, 5, 1)
    made["boxes"] = torch.cat([what, sure, low, low + size], -1)
    return {name: value for name, value in made.items() if name in given}


def _classes(prefix: str, count: int, given: set[str]) -> Classes:
    vectors = nn.functional.normalize(torch.randn(count, _WORDS), dim=-1)
    own = {
        "texts": torch.randn(count, 11),
        "signatures": torch.randint(-1, _OBJECTS, (count, 3)),
        "clip": torch.randn(count, 9),
    }
    own["signatures"][:, 0] = torch.arange(count) % _OBJECTS
    names = [f"{prefix} {i}" for i in range(count)]
    known = {k: v for k, v in own.items() if k in given}
    if prefix == "object":
        names[1] = "person"
        known["scored"] = (torch.arange(count) > 1).float()
    return Classes(names, vectors, known)
