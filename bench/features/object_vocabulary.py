"""The objects that scores and boxes refer to: names, vectors, texts, signatures, score files."""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.config.profile import Profile
from bench.data.index import Index
from bench.data.reference import pretraining_classes
from bench.data.reference.class_names import finder, key
from bench.data.synthetic.corpus import PRETEXT_SHAPES, SHAPES, definitions
from bench.errors import UserError
from bench.features.text_encoder import read_texts, spoken
from bench.utils.io import DAMAGED, parsed_json, read_arrays

Vectors = NDArray[np.float32]


def scored_names(profile: Profile, root: Path) -> list[str]:
    """Return the names of the objects whose probabilities the input ``objects`` has."""
    described = profile.inputs.objects
    if described is None:
        return []
    if described.kind == "shapes":
        return [*SHAPES, *PRETEXT_SHAPES]
    if described.kind == "scores":
        return score_names({d: root / f for d, f in described.files.items()})
    return pretraining_classes("imagenet1k")


def object_names(profile: Profile, root: Path) -> list[str]:
    """Return the names of the profile's objects: those with scores, then those only in boxes."""
    names = scored_names(profile, root)
    if profile.inputs.boxes is None:
        return names
    own = {key(name) for name in names}
    return [*names, *(name for name in pretraining_classes("coco") if key(name) not in own)]


def object_vectors(names: Sequence[str], vectors: Mapping[str, Vectors]) -> tuple[Vectors, int]:
    """Return the vector [O,W] of each name and the number of names without one.

    A vector is the mean of the unit vectors of the name's known words; without any it is zero,
    which resembles nothing.
    """
    if not vectors:
        raise UserError(
            "objects need word vectors, but the profile only has vectors of whole classes; set "
            "words.vectors to a file of word vectors"
        )
    width = len(next(iter(vectors.values())))
    rows = []
    for name in names:
        known = [vectors[word] for word in spoken(name).split() if word in vectors]
        rows.append(np.mean(known, axis=0) if known else np.zeros(width))
    array = np.asarray(rows, np.float32).reshape(len(names), width)
    return array, int((~array.any(1)).sum())


def object_texts(profile: Profile, root: Path, names: Sequence[str]) -> list[str]:
    """Return "name: definition" of each object, or only its name if it has no definition."""
    described = profile.inputs.objects
    known: dict[str, str] = {}
    if described is not None and described.kind == "shapes":
        known = {key(name): text for name, text in definitions().items()}
    elif described is not None and described.texts is not None:
        known = read_texts((root / described.texts).resolve())
    found = ((spoken(name), known.get(key(name), "")) for name in names)
    return [f"{name}: {text}" if text else name for name, text in found]


def read_signatures(
    path: Path, classes: Sequence[str], objects: Sequence[str]
) -> NDArray[np.int64]:
    """Return [K,L]: the indices of the objects in each class's signature, padded with −1.

    The .json maps a class to its list of object names. Raises UserError for an unknown object or a
    class without a signature.
    """
    try:
        raw = parsed_json(path.read_text(encoding="utf-8"))
        listed = {key(str(name)): [str(one) for one in ordered] for name, ordered in raw.items()}
    except FileNotFoundError:
        raise UserError(f"signatures {path} are missing; set inputs.signatures") from None
    except DAMAGED as error:
        raise UserError(f"signatures {path}: cannot be read ({error})") from None
    lacking = [name for name in classes if not listed.get(key(name))]
    if lacking:
        raise UserError(
            f"signatures {path}: none for class '{lacking[0]}' ({len(lacking)} are missing)"
        )
    place = {name: i for i, name in enumerate(objects)}
    find = finder("object in signatures", objects)
    rows = [[place[find(one)] for one in listed[key(name)]] for name in classes]
    width = max(map(len, rows))
    return np.array([row + [-1] * (width - len(row)) for row in rows], np.int64)


def score_names(files: Mapping[str, Path]) -> list[str]:
    """Return the object names of score files (data set -> .npz), which must be the same in all.

    A missing file is skipped if another one exists: only its data set has no scores then.
    """
    there = [path for path in files.values() if path.is_file()] or list(files.values())
    if not there:
        raise UserError("inputs.objects.files names no .npz of scores; set it in params.yaml")
    found = {path: _arrays(path, "names")["names"].tolist() for path in there}
    first = there[0]
    for path, own in found.items():
        if own != found[first]:
            raise UserError(f"{path} and {first} differ in their names or the order of these")
    names: list[str] = found[first]
    return names


def read_scores(path: Path, index: Index) -> Vectors:
    """Return the object scores [N,n,O] of a data set's videos from an .npz.

    It has ``scores`` [N,O] or [N,n,O], ``names`` [O] and, unless its rows are those of the index,
    ``ids`` [N]: paths as in the index or file names, with or without suffix. Raises UserError for
    missing, inconsistent or non-finite arrays.
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
        scores = scores[_rows_of_videos(ids, index, path)]
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


def _rows_of_videos(ids: Sequence[str], index: Index, path: Path) -> list[int]:
    """Return the file's row of each video.

    Names are compared in the first of five forms (path, path without suffix, file name, stem, stem
    of both) in which they are unique and every video has an id.
    """
    repeated = next((one for one in ids if ids.count(one) > 1), None) if _repeat(ids) else None
    if repeated is not None:
        raise UserError(f"{path}: id '{repeated}' is there more than once")
    paths = [PurePosixPath(one) for one in index.paths]
    stems = [one.stem for one in paths]
    forms = [(list(index.paths), ids), ([str(one.with_suffix("")) for one in paths], ids)]
    forms += [([one.name for one in paths], ids), (stems, ids)]
    forms += [(stems, [PurePosixPath(one).stem for one in ids])]
    fewest = list(index.paths)
    for videos, listed in forms:
        if _repeat(videos) or _repeat(listed):
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


def _repeat(names: Sequence[str]) -> bool:
    return len(set(names)) < len(names)
