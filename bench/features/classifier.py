"""Object probabilities of frames: torchvision's ImageNet classifiers, or a file of scores."""

import pickle
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn

from bench.data.index import Index
from bench.errors import UserError, unknown
from bench.utils.io import DAMAGED, read_arrays

Scores = NDArray[np.float32]
Weights = Path | Literal["download"] | None  # a file of a state dict; None is an error that helps

# Two of ImageNet's names are one word, but for the capital; WordNet's synset has this one too.
_DOG = {"Cardigan": "Cardigan Welsh corgi"}


def categories(model: str) -> list[str]:
    """Return the names of a classifier's objects, as words; nothing is loaded."""
    names = weights_of("classifier", model).DEFAULT.meta["categories"]
    return [_DOG.get(name, name).replace("-", " ").lower() for name in names]


def load_classifier(
    model: str, weights: Weights, device: torch.device
) -> tuple[list[str], Callable[[NDArray[np.uint8]], Scores]]:
    """Return the objects' names and the model: frames uint8 [n,H,W,3] -> probabilities [n,O].

    ``model`` is any name in torchvision.models; frames are prepared as its weights ask for.
    """
    net, entry = open_model("classifier", model, weights, device)
    prepare = entry.transforms()

    @torch.inference_mode()
    def score(frames: NDArray[np.uint8]) -> Scores:
        images = torch.from_numpy(frames).to(device).permute(0, 3, 1, 2)
        found: Scores = net(prepare(images)).softmax(-1).cpu().numpy()
        return found

    return categories(model), score


def weights_of(what: Literal["classifier", "detector"], model: str) -> Any:
    """Return torchvision's enumeration of a model's weights, with their categories and transforms.

    An unknown model is a UserError with the nearest name.
    """
    models = _torchvision()
    package = models if what == "classifier" else models.detection
    names = [name for name in models.list_models(package) if not name.startswith("keypoint")]
    if model not in names:
        raise unknown(f"torchvision {what}", model, names)
    return models.get_model_weights(model)


def open_model(
    what: Literal["classifier", "detector"], model: str, weights: Weights, device: torch.device
) -> tuple[nn.Module, Any]:
    """Return a model of torchvision in eval mode and the entry of its weights.

    ``weights`` is a file of a state dict, or "download". A file that has the name of one of
    torchvision's files is taken for that one, any other for the default: frames are prepared so.
    """
    known = weights_of(what, model)
    named = weights.stem if isinstance(weights, Path) else ""
    entry = next((one for one in known if PurePosixPath(one.url).stem == named), known.DEFAULT)
    state = _downloaded(entry) if weights == "download" else _read(weights, model, entry)
    try:
        with torch.random.fork_rng(devices=[]), _fed(known, state):
            net: nn.Module = _torchvision().get_model(model, weights=entry, progress=False)
    except RuntimeError as error:  # load_state_dict's: a headline, then a line for each misfit
        lines = str(error).splitlines()
        why = lines[min(1, len(lines) - 1)].strip()[:120]
        raise UserError(f"weights {weights} are not those of {model}: {why}") from None
    return net.to(device).eval().requires_grad_(False), entry


def _torchvision() -> Any:
    from torchvision import models  # type: ignore[import-untyped]  # a second

    return models


@contextmanager
def _fed(known: Any, state: dict[str, Tensor]) -> Iterator[None]:
    """Let torchvision build a model with our state dict as if it had downloaded it.

    Only so is it the published model: what its builder does for weights (how inputs are scaled, the
    epsilons and kinds of norms, heads that are dropped) is not in the state dict.
    """
    known.get_state_dict = lambda *_, **__: state
    try:
        yield
    finally:
        del known.get_state_dict  # and the base class's shows again


def _downloaded(entry: Any) -> dict[str, Tensor]:
    try:
        state: dict[str, Tensor] = entry.get_state_dict(check_hash=True, weights_only=True)
    except (OSError, RuntimeError, pickle.UnpicklingError) as error:  # no network, another hash
        why = " ".join(str(error).split())[:120]
        raise UserError(
            f"weights cannot be downloaded ({why}); get {entry.url} and set weights to the file"
        ) from None
    return state


def _read(path: Path | None, model: str, entry: Any) -> dict[str, Tensor]:
    """Read a state dict; nothing of the file is executed."""
    if path is None or not path.is_file():
        where = "no weights are set" if path is None else f"weights {path} are missing"
        raise UserError(f"{model}: {where}; get {entry.url} and set weights to it, or to download")
    try:
        if path.suffix == ".safetensors":
            state: Any = load_file(path)
        else:
            with warnings.catch_warnings(action="ignore"):
                state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise UserError(f"weights {path} cannot be read ({error.strerror})") from None
    except Exception:  # bytes of any other kind make unpickling raise anything
        raise UserError(f"weights {path}: damaged, or more than tensors; not executed") from None
    tensors = state.values() if isinstance(state, dict) else [None]
    if not all(map(is_plain, tensors)):
        raise UserError(f"weights {path}: not a state dict, names and tensors; save that alone")
    broken = next((name for name, one in state.items() if not one.isfinite().all()), None)
    if broken is not None:
        raise UserError(f"weights {path}: '{broken}' is not finite")
    return dict(state)


def is_plain(weight: Any) -> bool:
    """Tell whether it is a tensor with its numbers in memory: not sparse, quantised or absent."""
    if not isinstance(weight, Tensor) or weight.layout != torch.strided:
        return False
    return not (weight.is_meta or weight.is_quantized)


def score_names(files: Mapping[str, Path]) -> list[str]:
    """Return the objects that files of scores, data set -> .npz, count in; all have the same.

    A file that is missing is passed over if another is there: its data set alone lacks scores.
    """
    there = [path for path in files.values() if path.is_file()] or list(files.values())
    if not there:
        raise UserError("inputs.objects.files names no .npz of scores; set it in params.yaml")
    found = {path: _arrays(path, "names")["names"].tolist() for path in there}
    first = there[0]
    for path, own in found.items():
        if own != found[first]:
            raise UserError(f"{path} and {first} have other names, or in another order")
    names: list[str] = found[first]
    return names


def read_scores(path: Path, index: Index) -> Scores:
    """Return the object scores [N,n,O] of a data set's videos from an .npz.

    It has ``scores`` [N,O] or [N,n,O], ``names`` [O] and, unless its rows are the index's,
    ``ids`` [N]: paths as in the index or file names, with or without suffix. UserError: what is
    missing, does not fit or is not finite.
    """
    arrays = _arrays(path, "scores", "names", "ids")
    scores, names = arrays["scores"], arrays["names"]
    if scores.ndim not in (2, 3) or scores.dtype.kind not in "fiu" or 0 in scores.shape[1:]:
        raise UserError(f"{path}: scores are {scores.dtype} {scores.shape}, not [N,O] or [N,n,O]")
    if names.shape != scores.shape[-1:]:
        raise UserError(f"{path}: names {names.shape} do not fit scores {scores.shape}")
    if "ids" in arrays:
        ids = arrays["ids"].tolist()
        if len(ids) != len(scores):
            raise UserError(f"{path}: {len(ids)} ids do not fit scores {scores.shape}")
        scores = scores[_matched(ids, index, path)]
    elif len(scores) != len(index.paths):
        raise UserError(
            f"{path}: {len(scores)} rows, but {index.name} has {len(index.paths)} videos; add ids"
        )
    wide = scores.astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(wide).reshape(len(wide), -1).all(1))
    if len(bad):
        example = index.paths[int(bad[0])]
        raise UserError(f"{path}: scores of {len(bad)} videos are not finite, as of '{example}'")
    return wide[:, None] if wide.ndim == 2 else wide


def _arrays(path: Path, *wanted: str) -> dict[str, NDArray[Any]]:
    """Return the wanted arrays of an .npz; ``ids`` may be missing."""
    if not path.is_file():
        raise UserError(f"scores {path} are missing; set inputs.objects.files in params.yaml")
    try:
        needed = [name for name in wanted if name != "ids"]
        arrays = read_arrays(path, *needed, optional={"ids"}.intersection(wanted))
        for name in {"names", "ids"} & arrays.keys():
            if arrays[name].ndim != 1:
                raise ValueError(f"{name} are {list(arrays[name].shape)}, no list")
            arrays[name] = arrays[name].astype(str)
        return arrays
    except DAMAGED as error:
        raise UserError(f"{path}: cannot be read as an .npz of scores ({error})") from None


def _matched(ids: Sequence[str], index: Index, path: Path) -> list[int]:
    """Return the file's row of each video, by the first form of names that tells all apart."""
    repeated = next((one for one in ids if ids.count(one) > 1), None) if _alike(ids) else None
    if repeated is not None:
        raise UserError(f"{path}: id '{repeated}' is there more than once")
    paths = [PurePosixPath(one) for one in index.paths]
    stems = [one.stem for one in paths]
    forms = [(list(index.paths), ids), ([str(one.with_suffix("")) for one in paths], ids)]
    forms += [([one.name for one in paths], ids), (stems, ids)]
    forms += [(stems, [PurePosixPath(one).stem for one in ids])]
    fewest = list(index.paths)
    for videos, listed in forms:
        if _alike(videos) or _alike(listed):
            continue
        place = {name: row for row, name in enumerate(listed)}
        lacking = [str(p) for p, v in zip(paths, videos, strict=True) if v not in place]
        if not lacking:
            return [place[name] for name in videos]
        fewest = min(fewest, lacking, key=len)
    raise UserError(
        f"{path}: no id fits {len(fewest)} of {len(paths)} videos of {index.name}, as "
        f"'{fewest[0]}' (its first id is '{ids[0] if ids else ''}')"
    )


def _alike(names: Sequence[str]) -> bool:
    return len(set(names)) < len(names)
