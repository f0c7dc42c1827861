"""Compare every source of a profile with its test classes, for ``results/audit/<profile>.json``.

A source has seen a test class of the same name, of the same words, or with a near class vector.
Missing parts (vectors, indexes, splits) are left out and named in the result; class names can be
compared without any data.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.config.paths import Layout
from bench.config.profile import PER_SPLIT, Config
from bench.data import reference as facts
from bench.data.formats.index_file import IndexFile
from bench.data.formats.overlap_file import OverlapFile
from bench.data.formats.split_file import Split, SplitFile
from bench.data.reference.class_names import key
from bench.data.splits.overlap import nearest_test_classes
from bench.data.words.class_vectors import class_words, load_class_vectors
from bench.errors import UserError, unknown
from bench.evaluation.audit_flags import audit_digest
from bench.features.object_vocabulary import object_names
from bench.utils.io import DAMAGED, read_arrays

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class ClassList:
    """The classes that a network was trained on; ``names`` is None if they cannot be listed."""

    title: str
    names: tuple[str, ...] | None
    why: str = ""  # why the names are not known


def class_list(name: str, root: Path) -> ClassList:
    """Return a list by its name in ``bench/data/reference`` (kinetics400, imagenet1k, coco, …).

    A name that ends in .txt is a file under ``root``, one class per line. UserError for any other
    name.
    """
    if name.endswith(".txt"):
        return ClassList(Path(name).stem, _lines(root / name))
    if name in facts.class_lists():
        return ClassList(name, tuple(facts.classes(name)))
    rows = {row["name"]: row for row in facts.table("pretraining.csv")}
    if name not in rows:
        known = {*rows, *facts.class_lists()}
        raise unknown("pre-training data set in 'pretrained' of the profile", name, known)
    row = rows[name]
    if row["listed"] != "1":
        return ClassList(row["title"], None, row["note"])
    return ClassList(row["title"], tuple(facts.pretraining_classes(name)))


def _lines(path: Path) -> tuple[str, ...]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"class list {path}: cannot be read ({error})") from None
    names = tuple(line.strip() for line in lines if line.strip())
    if not names:
        raise UserError(f"class list {path} is empty; write one class per line")
    return names


@dataclass(frozen=True)
class Named:
    """A class: its name, its words, and its vector [W] if the words stage made one."""

    name: str
    words: frozenset[str]
    vector: Vector | None


def of_dataset(layout: Layout, dataset: str, names: Iterable[str]) -> list[Named]:
    """Return classes of a data set of the profile, with class vectors if they exist."""
    try:
        vectors = load_class_vectors(layout.words, dataset)
    except UserError:
        vectors = {}
    words = class_words(dataset, list(names))
    return [Named(n, frozenset(listed), vectors.get(n)) for n, listed in words.items()]


def of_list(layout: Layout, title: str, names: Sequence[str]) -> list[Named]:
    """Return the classes of a list; a vector is the mean over a name's words, if all are known."""
    known = _word_vectors(layout.words / "vectors.npz")

    def mean(words: Sequence[str]) -> Vector | None:
        if not words or not known.keys() >= set(words):
            return None
        return np.asarray(np.mean([known[w] for w in words], axis=0), np.float32)

    words = class_words(title, list(names))
    return [Named(n, frozenset(listed), mean(listed)) for n, listed in words.items()]


def tested(config: Config, layout: Layout) -> dict[str, list[str]]:
    """Return test data set -> the classes that any of its protocols tests as unseen."""
    found = {}
    for name, described in config.profile.datasets.items():
        unseen: set[str] = set()
        for protocol in described.protocols:
            file = SplitFile.read(layout.splits / f"{name}.{protocol}.json")
            unseen |= {c for one in (file.splits if file else ()) for c in one["unseen"]}
        if described.protocols:
            found[name] = sorted(unseen) or known_classes(config, layout, name)
    return found


def known_classes(config: Config, layout: Layout, dataset: str) -> list[str]:
    """Return a data set's classes as described, indexed or published; [] if they are not known."""
    described = config.profile.datasets[dataset].classes
    if described:
        return sorted(described)
    if index := IndexFile.read(layout.index / f"{dataset}.json"):
        return index.classes
    return sorted(facts.classes(dataset)) if dataset in facts.class_lists() else []


def draws(config: Config, layout: Layout) -> Iterator[tuple[str, str, list[Split]]]:
    """Yield (data set, protocol, splits) of protocols that train a model for every split."""
    for name, protocol in config.profile.per_split():
        assert protocol in PER_SPLIT
        file = SplitFile.read(layout.splits / f"{name}.{protocol}.json")
        yield name, protocol, file.splits if file else []


def _word_vectors(path: Path) -> dict[str, Vector]:
    try:
        arrays = read_arrays(path, "words", "vectors")
        return dict(zip(map(str, arrays["words"]), arrays["vectors"], strict=True))
    except FileNotFoundError:
        return {}
    except DAMAGED as error:
        raise UserError(f"{path}: damaged ({error}); run 'bench stage words'") from None


def compare(tests: Sequence[Named], sources: Sequence[Named], tau: float) -> dict[str, Any]:
    """Compare the classes of one source with the test classes of one data set.

    ``tested`` counts the test classes, ``measured`` those with a distance. ``seen`` lists those
    that the source has seen by name (ignoring spelling), words (ignoring order and form) or
    distance (1 − cos < τ). ``nearest`` is the nearest pair of all, seen or not, or None.
    """
    by_name = {key(one.name): one for one in sources}
    by_words = {one.words: one for one in sources if one.words}
    nearest = _nearest(tests, sources)
    seen = []
    for test in sorted(tests, key=lambda one: one.name):
        near = nearest.get(test.name)
        by = "name" if key(test.name) in by_name else "words"
        own = by_name.get(key(test.name)) or by_words.get(test.words)
        if own:
            pair = _nearest([test], [own]).get(test.name)
            found = own.name, pair[1] if pair else None
        elif near is not None and near[1] < tau:
            by, found = "distance", near
        else:
            continue
        seen.append({"name": test.name, "by": by, "source": found[0], "distance": found[1]})
    first = min(nearest.items(), key=lambda one: one[1][1], default=None)
    return {
        "tested": len(tests),
        "measured": len(nearest),
        "seen": seen,
        "nearest": first and {"name": first[0], "source": first[1][0], "distance": first[1][1]},
    }


def _nearest(tests: Sequence[Named], sources: Sequence[Named]) -> dict[str, tuple[str, float]]:
    """Return test class -> (nearest source class, 1 − cos) for classes with vectors."""
    here, there = (
        [(one.name, one.vector) for one in side if one.vector is not None and one.vector.any()]
        for side in (tests, sources)
    )
    if not here or not there or len(here[0][1]) != len(there[0][1]):
        return {}
    arrays = [(names, np.stack(v)) for names, v in (zip(*s, strict=True) for s in (here, there))]
    found = nearest_test_classes(arrays[0], {"": arrays[1]})
    return {one.name: (one.nearest, round(max(one.distance, 0.0), 6)) for one in found}


# Kinetics names its clips ID_000012_000022, ActivityNet v_ID. Others have no ids in their names.
_ID = re.compile(r"(?:v_)?([\w-]{11})(?:_\d{6}_\d{6})?$", re.ASCII)
_WITH_IDS = ("kinetics", "activitynet")
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
    compared = {name: compare(found, classes, tau) for name, found in tests.items()}
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
        lacking = max(lacking, found["tested"] - found["measured"])
        for one in found["seen"]:
            pairs.setdefault(one["name"], one | {"draws": 0})["draws"] += 1
        near = found["nearest"]
        if near and (not nearest or near["distance"] < nearest["distance"]):
            nearest = near
    compared = {
        "tested": (count := len({c for one in splits for c in one["unseen"]})),
        "measured": count - lacking,
        "seen": sorted(pairs.values(), key=lambda one: str(one["name"])),
        "nearest": nearest,
    }
    what = f"seen classes of {len(splits)} splits of {dataset}"
    unknown = "" if splits else "no split file; run 'bench stage splits'"
    tests = {dataset: compared} if splits else {}
    found = {"what": what, "classes": len(classes), "unknown": unknown, "tests": tests}
    return found | {"splits": len(splits)}


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
