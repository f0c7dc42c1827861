"""Stage splits: the τ exclusion and every protocol's class splits, as readable files by name."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.config.paths import Layout
from bench.config.profile import TRANSFER, Config, FiftyFifty
from bench.data.index import read_index
from bench.data.splits import protocols
from bench.data.splits.overlap import nearest_test_classes, verdicts
from bench.data.splits.test_lists import read_lists
from bench.data.words.store import load_class_vectors
from bench.errors import UserError
from bench.utils.io import digest, read_json, write_json


def run(config: Config, layout: Layout) -> None:
    """Write ``splits/<profile>/overlap.json`` and ``<data set>.<protocol>.json``."""
    profile = config.profile
    written = set()
    seen: list[str] = []
    if profile.train_on and profile.transfer_sets():
        overlap = exclude(config, layout)
        seen = [one["class"] for one in overlap["classes"] if one["kept"]]
        written.add(_write(layout.splits / "overlap.json", overlap))
        print(f"{overlap['train']}: {len(seen)} of {len(overlap['classes'])} classes kept")
    for name, described in profile.datasets.items():
        classes = sorted(load_class_vectors(layout.words, name)) if described.protocols else []
        for protocol in described.protocols:
            videos = _videos(layout, name) if protocol == "gzsl" else None
            lists = layout.root / described.lists if described.lists else None
            draws = profile.fifty_fifty
            file = build(name, protocol, classes, seen, layout.root, draws, lists, videos)
            written.add(_write(layout.splits / f"{name}.{protocol}.json", file))
            print(f"{name} {protocol}: {len(file['splits'])} splits")
    for stale in set(layout.splits.glob("*.json")) - written:
        stale.unlink()


def exclude(config: Config, layout: Layout) -> dict[str, Any]:
    """Return the τ exclusion: for every training class its nearest test class and whether kept.

    Test classes are those that the protocols test: of a data set with k220 alone, the 220.
    """
    train_on = config.profile.train_on or ""
    tests = config.profile.transfer_sets()
    arrays = {name: load_class_vectors(layout.words, name) for name in (train_on, *tests)}
    for name in tests:
        if not {*config.profile.datasets[name].protocols} & {*TRANSFER} - {"k220"}:
            new = protocols.k220(name, list(arrays[name]), [])[0]
            tested = {*new["unseen"], *new["validation"]}
            arrays[name] = {c: v for c, v in arrays[name].items() if c in tested}
    split = {name: (list(v), np.stack(list(v.values()))) for name, v in arrays.items()}
    nearest = nearest_test_classes(split[train_on], {n: split[n] for n in tests})
    tau = config.profile.tau
    classes = verdicts(nearest, tau)
    if not any(one["kept"] for one in classes):
        raise UserError(f"tau = {tau} leaves no training class of {train_on}; make it smaller")
    kept = [[one["class"] for one in classes if one["kept"]], sorted(tests)]
    return {
        "train": train_on,
        "test": tests,
        "tau": tau,
        "digest": digest(kept),
        "classes": classes,
    }


def build(
    name: str,
    protocol: str,
    classes: Sequence[str],
    seen: Sequence[str],
    root: Path,
    draws: FiftyFifty,
    lists: Path | None = None,
    videos: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Any]:
    """Return one protocol's splits of a data set, with its definition and hash.

    ``seen`` are the training classes of a transfer protocol, ``lists`` is what official3 needs,
    ``videos`` (class -> paths) what gzsl needs; without it a UserError.
    """
    definition = protocols.DEFINITIONS[protocol]
    if protocol in ("fifty-fifty", "gzsl") and draws.published:
        definition += "; the draws of Xu et al., IJCV 2017, of which some are the same"
    match protocol:
        case "full":
            splits = protocols.full(classes, seen)
        case "half10":
            splits = protocols.half10(classes, seen)
        case "official3":
            if lists is None:
                raise UserError(
                    f"official3 of {name} needs the released test lists: a folder, .zip or .tar.gz "
                    f"(datasets.{name}.lists in params.yaml; 'bench splits show' takes --lists)"
                )
            splits = protocols.official3(classes, seen, read_lists(lists, name, classes))
        case "k220":
            splits = protocols.k220(name, classes, seen)
        case "fifty-fifty":
            splits = _halves(name, classes, root, draws)
        case "gzsl":
            if videos is None:
                raise UserError(
                    f"gzsl of {name} holds videos out, so it needs the data: set protocols of "
                    "the data set in params.yaml and run 'bench stage splits'"
                )
            splits = protocols.gzsl(_halves(name, classes, root, draws), videos, draws.seed)
        case _:
            splits = protocols.published(protocol, name, classes)
    return {
        "dataset": name,
        "protocol": protocol,
        "definition": definition,
        "digest": digest(splits),
        "splits": splits,
    }


def _halves(
    name: str, classes: Sequence[str], root: Path, draws: FiftyFifty
) -> list[protocols.Split]:
    if draws.published:
        return protocols.published(draws.published, name, classes)[: draws.draws]
    if not draws.file:
        return protocols.fifty_fifty(classes, draws.draws, draws.seed)
    raw = read_json(root / draws.file)
    if raw is None:
        raise UserError(f"split file {root / draws.file} is missing (fifty_fifty.file)")
    return protocols.given_splits(raw, name, classes, str(draws.file))[: draws.draws]


def _videos(layout: Layout, name: str) -> dict[str, list[str]]:
    """Return class -> paths of a data set's index."""
    index = read_index(layout.index, name)
    videos: dict[str, list[str]] = {c: [] for c in index.classes}
    for path, label in zip(index.paths, index.labels.tolist(), strict=True):
        videos[index.classes[label]].append(path)
    return videos


def _write(path: Path, value: dict[str, Any]) -> Path:
    write_json(path, value)
    return path
