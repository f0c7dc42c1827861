"""Compare every source of a profile with its test classes, for ``results/audit/<profile>.json``.

Missing parts (vectors, indexes, splits) are left out and named in the result; class names can be
compared without any data.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal

import pandas as pd

from bench.config.paths import Layout
from bench.config.profile import Config
from bench.data.formats.overlap_file import OverlapFile
from bench.errors import UserError
from bench.evaluation.leakage.audit_flags import audit_digest
from bench.evaluation.leakage.class_matching import (
    Named,
    class_list,
    compare,
    draws,
    known_classes,
    of_dataset,
    of_list,
    tested,
)
from bench.features.object_vocabulary import object_names
from bench.utils.io import DAMAGED

# Kinetics names its clips ID_000012_000022, ActivityNet v_ID. Others have no ids in their names.
_ID = re.compile(r"(?:v_)?([\w-]{11})(?:_\d{6}_\d{6})?$", re.ASCII)
_WITH_IDS = ("kinetics", "activitynet")
NONE = "no lists in this profile"
SHOWN = 20
PUBLISHED_TAU = 0.05  # for a profile without the exclusion
UNDECLARED = (
    "what it was trained on is not known; declare it as profiles.{profile}.pretrained.{name} "
    "in params.yaml"
)
Source = dict[str, Any]
Made = Literal["features", "objects", "boxes", "clip"]


def shared_videos(layout: Layout, source: str, test: str) -> dict[str, Any]:
    """Compare the videos of two data sets: how, how many, and the test videos that both have.

    ``by`` is "" if the indexes share neither ids nor digests; ``compared`` counts the test videos
    that have one; ``names`` lists at most ``SHOWN``.
    """
    ours, theirs = _marks(layout, source), _marks(layout, test)
    kinds = [kind for kind in ("digest", "YouTube id") if ours[kind] and theirs[kind]]
    known = {kind: set(ours[kind].values()) for kind in kinds}
    names = {path for k in kinds for path, mark in theirs[k].items() if mark in known[k]}
    compared = {path for kind in kinds for path in theirs[kind]}
    return {
        "by": ", ".join(kinds),
        "compared": len(compared),
        "shared": len(names),
        "names": sorted(names)[:SHOWN],
    }


def _marks(layout: Layout, dataset: str) -> dict[str, dict[str, str]]:
    """Return kind -> path -> digest or id of the videos of a data set; empty without its index."""
    path = layout.index / f"{dataset}.parquet"
    try:
        rows = pd.read_parquet(path)
    except FileNotFoundError:
        rows = pd.DataFrame({"path": []})
    except DAMAGED as error:
        raise UserError(f"{path}: damaged ({error}); run 'bench stage data'") from None
    paths = [str(one) for one in rows["path"]]
    digests = [str(one) for one in rows["sha256"]] if "sha256" in rows else []
    ids = {}
    if dataset.startswith(_WITH_IDS):
        stems = ((path.rpartition("/")[2].rpartition(".")[0], path) for path in paths)
        ids = {path: found[1] for stem, path in stems if (found := _ID.match(stem))}
    return {
        "digest": {path: one for path, one in zip(paths, digests, strict=False) if one},
        "YouTube id": ids,
    }


def measure(config: Config, layout: Layout) -> dict[str, Any]:
    """Return ``tau``, ``tested`` (data set -> number of classes) and ``sources``.

    A source has ``what``, ``classes`` (their number), ``unknown`` ("" or why its classes are not
    known) and, per test data set, ``tests`` (see ``Compared``) and ``videos``. Keys of sources:
    ``training``, ``training <data set>.<protocol>`` and the names of inputs.
    """
    profile = config.profile
    names = tested(config, layout)
    tests = {dataset: of_dataset(layout, dataset, found) for dataset, found in names.items()}
    tau = profile.tau or PUBLISHED_TAU
    sources: dict[str, Source] = {}
    transfer = {name: tests[name] for name in profile.transfer_sets()}
    if profile.train_on and transfer:
        sources["training"] = _training(config, layout, transfer, tau)
    for dataset, protocol, splits in draws(config, layout):
        found = _per_draw(layout, dataset, splits, tau)
        sources[f"training {dataset}.{protocol}"] = found
    sources |= dict(_inputs(config, layout, tests, tau))
    return {
        "profile": config.name,
        "tau": tau,
        "excluded": profile.tau > 0,
        "of": audit_digest(config, layout),
        "tested": {name: len(found) for name, found in names.items()},
        "sources": sources,
    }


def _source(
    what: str,
    classes: Sequence[Named],
    tests: Mapping[str, Sequence[Named]],
    tau: float,
    **more: Any,
) -> Source:
    compared = {name: asdict(compare(found, classes, tau)) for name, found in tests.items()}
    vectors = sum(one.vector is not None and bool(one.vector.any()) for one in classes)
    found = {"what": what, "classes": len(classes), "with_vectors": vectors, "unknown": ""}
    return found | {"tests": compared} | more


def _unknown(what: str, why: str) -> Source:
    return {"what": what, "classes": None, "unknown": why, "tests": {}}


def _training(
    config: Config, layout: Layout, tests: Mapping[str, Sequence[Named]], tau: float
) -> Source:
    """Compare the training classes that τ keeps; before the splits are built, all of them."""
    name = config.profile.train_on or ""
    overlap = OverlapFile.read(layout.splits / "overlap.json")
    listed = [one["class"] for one in overlap.classes] if overlap else None
    left_out = [one["class"] for one in overlap.classes if not one["kept"]] if overlap else []
    classes = of_dataset(layout, name, listed or known_classes(config, layout, name))
    if not classes:
        return _unknown(name, f"its classes are not known; run 'bench stage data -p {config.name}'")
    if not overlap and config.profile.tau > 0:  # the same words are at distance 0
        every = [test for found in tests.values() for test in found]
        words = {test.words for test in every}
        left_out = [one.name for one in classes if one.words in words]
    kept = [one for one in classes if one.name not in set(left_out)]
    found = _source(name, kept, tests, tau, left_out=len(left_out), built=overlap is not None)
    for test, compared in found["tests"].items():
        if overlap and not compared["measured"]:  # no vectors: use the overlap file
            _take_distances(compared, overlap.classes, test, tau)
    found["videos"] = {test: shared_videos(layout, name, test) for test in tests}
    return found


def _take_distances(
    compared: dict[str, Any], classes: Sequence[Mapping[str, Any]], test: str, tau: float
) -> None:
    """Add the distances of the overlap file: the nearest test class of each training class."""
    near = sorted(
        (one for one in classes if one["kept"] and one["dataset"] == test),
        key=lambda one: (float(one["distance"]), one["class"]),
    )
    done = {one["name"] for one in compared["seen"]}
    for one in near:
        pair = {"name": one["nearest"], "source": one["class"], "distance": one["distance"]}
        compared["nearest"] = compared["nearest"] or pair
        if one["distance"] < tau and one["nearest"] not in done:
            compared["seen"].append(pair | {"by": "distance"})
            done.add(one["nearest"])
    compared["measured"] = len({one["nearest"] for one in near})


def _per_draw(
    layout: Layout, dataset: str, splits: Sequence[Mapping[str, Any]], tau: float
) -> Source:
    """Compare the seen with the unseen classes of each draw; ``draws`` counts those with a pair."""
    names = sorted({c for one in splits for side in ("seen", "unseen") for c in one[side]})
    classes = {one.name: one for one in of_dataset(layout, dataset, names)}
    pairs: dict[str, dict[str, Any]] = {}
    nearest, lacking = None, 0
    for split in splits:
        seen, unseen = ([classes[c] for c in split[side]] for side in ("seen", "unseen"))
        found = compare(unseen, seen, tau)
        lacking = max(lacking, found.tested - found.measured)
        for one in found.seen:
            pair = pairs.setdefault(one["name"], one | {"draws": 0})
            pair["draws"] += 1
        if found.nearest and (not nearest or found.nearest["distance"] < nearest["distance"]):
            nearest = found.nearest
    compared = {
        "tested": (count := len({c for one in splits for c in one["unseen"]})),
        "measured": count - lacking,
        "seen": sorted(pairs.values(), key=lambda one: str(one["name"])),
        "nearest": nearest,
    }
    what = f"seen classes of {len(splits)} splits of {dataset}"
    unknown = "" if splits else "no split file; run 'bench stage splits'"
    tests = {dataset: compared} if splits else {}
    return {"what": what, "classes": len(classes), "unknown": unknown, "tests": tests} | {
        "splits": len(splits)
    }


def _inputs(
    config: Config, layout: Layout, tests: Mapping[str, Sequence[Named]], tau: float
) -> Iterator[tuple[str, Source]]:
    """Yield (name, source) of each input that the profile describes."""
    profile, described = config.profile, config.profile.inputs
    bare = [name for name in tests if profile.datasets[name].kind == "features"]
    declared = profile.pretrained
    made: dict[Made, tuple[str, tuple[str, ...]]] = {}  # input -> in words, names of class lists
    if bare:
        files = sorted({(profile.datasets[name].file or layout.root).name for name in bare})
        made["features"] = ", ".join(files), ()
    elif profile.network.weights is not None:
        made["features"] = profile.network.weights.name, ()
    elif profile.pretrain_on is not None:
        pretext = known_classes(config, layout, profile.pretrain_on)
        classes = of_dataset(layout, profile.pretrain_on, pretext)
        what = f"network trained on {profile.pretrain_on}"
        if classes:
            found = _source(what, classes, tests, tau)
            found["videos"] = {t: shared_videos(layout, profile.pretrain_on, t) for t in tests}
        else:
            found = _unknown(what, "its classes are not known; run 'bench stage data'")
        yield "features", found
    if described.objects is not None:
        if described.objects.kind == "shapes":
            shapes = of_list(layout, "objects", object_names(profile, layout.root))
            yield "objects", _source("classifier of drawn shapes", shapes, tests, tau)
        else:
            of_model = described.objects.kind == "classifier"
            what = described.objects.model if of_model else "scores of files"
            made["objects"] = what, ("imagenet1k",) if of_model else ()
    if described.boxes is not None:  # torchvision's detectors begin with a classifier of ImageNet
        made["boxes"] = described.boxes.model, ("coco", "imagenet1k")
    if described.clip is not None:
        made["clip"] = described.clip.folder.name, ("web",)
    for name, (what, usual) in made.items():
        lists = [class_list(one, layout.root) for one in declared.get(name, usual)]
        if lists:
            what = f"{what} ({', '.join(one.title for one in lists)})"
        more: dict[str, Any] = {"of_videos": bare if name == "features" else []}
        opaque = next((one for one in lists if one.names is None), None)
        if not lists or opaque:
            why = UNDECLARED.format(profile=config.name, name=name)
            yield name, _unknown(what, opaque.why if opaque else why) | more
            continue
        classes = [c for one in lists for c in of_list(layout, one.title, one.names or ())]
        more["videos"] = {}
        yield name, _source(what, classes, tests, tau, **more)
