"""The contract test of a method, on tiny clips and on tiny features."""

import torch
from torch import Tensor, nn

from bench.errors import UserError
from bench.method import Batch, Classes, Context, Method, create
from bench.registry import MethodFile, blame, load
from bench.settings import Network
from bench.training.frozen import new_backbone

_SEEN, _TEST, _VIDEOS, _WORDS, _HEAD = 6, 4, 8, 10, 16
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
    inputs = {"clips": torch.randn(_VIDEOS, 1, 3, 4, 16, 16)}
    if "clips" not in kind.needs:
        inputs["features"] = torch.randn(_VIDEOS, 1, 12)
    strange = set(kind.needs) - {"video", "clips"}
    if strange:
        return [*complaints, f"{file.name}: needs '{min(strange)}', which nothing provides yet"]
    for what, video in inputs.items():
        try:
            complaints += [f"{file.name} on {what}: {c}" for c in _exercise(kind, what, video)]
        except Exception as error:
            complaints.append(f"{blame(error, file.path)} (on {what})")
    return complaints


def _exercise(kind: type[Method], what: str, video: Tensor) -> list[str]:
    torch.manual_seed(0)
    seen, test = _classes("seen", _SEEN), _classes("test", _TEST)
    method = create(kind, {})
    dim = video.shape[-1] if what == "features" else 0
    backbone, backbone_dim = new_backbone(_TINY, dim)
    method.build(Context(seen, {"video": dim}, _HEAD, backbone, backbone_dim))
    batch = Batch({"video": video}, torch.arange(_VIDEOS) % _SEEN)
    found = [] if method.fit is not None else _step(method, batch, seen)
    method.eval()
    with torch.inference_mode():
        v = method.embed_video(Batch(batch.inputs, batch.y[:0]))
        s = method.embed_class(test)
        again = method.embed_video(Batch(batch.inputs, batch.y[:0]))
    if v.ndim != 2 or len(v) != _VIDEOS:
        found.append(f"embed_video gave {list(v.shape)}, not [{_VIDEOS}, D]")
    if s.ndim != 2 or len(s) != _TEST:
        found.append(f"embed_class gave {list(s.shape)}, not [{_TEST}, D]")
    elif method.score is None and s.shape[-1] != v.shape[-1]:
        found.append(f"video and class dimensions differ ({v.shape[-1]} and {s.shape[-1]})")
    if not torch.equal(v, again):
        found.append("embed_video differs from call to call in eval mode")
    if not (v.isfinite().all() and s.isfinite().all()):
        found.append("an embedding is not finite")
    return found


def _step(method: Method, batch: Batch, seen: Classes) -> list[str]:
    weights = list(method.parameters())
    if not weights:
        return ["has no parameters to train; override fit() if it needs no training"]
    optimiser = torch.optim.SGD(weights, 0.01)
    loss, parts = method.loss(batch, seen)
    if loss.ndim != 0 or not loss.isfinite():
        return [f"loss is {loss.tolist()}, not one finite number"]
    before = [w.detach().clone() for w in weights]
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    found = [f"part '{name}' of the loss is not one number" for name, p in parts.items() if p.ndim]
    if all(torch.equal(a, b) for a, b in zip(before, weights, strict=True)):
        found.append("a training step changes no parameter")
    return found


def _classes(prefix: str, count: int) -> Classes:
    vectors = nn.functional.normalize(torch.randn(count, _WORDS), dim=-1)
    return Classes([f"{prefix} {i}" for i in range(count)], vectors)
