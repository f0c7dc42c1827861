"""The class splits of a protocol: read from a split file, or built from class names."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from bench.config.paths import Layout, find_root
from bench.config.profile import (
    PER_SPLIT,
    PROTOCOLS,
    TRANSFER,
    Config,
    FiftyFifty,
    load_config,
    read_parameters,
)
from bench.data import reference
from bench.data.formats.index_file import IndexFile
from bench.data.formats.overlap_file import OverlapFile
from bench.data.formats.split_file import Split, SplitFile
from bench.data.formats.words_file import WordsFile
from bench.data.splits import protocols
from bench.data.splits.official_lists import read_lists
from bench.data.splits.overlap import nearest_test_classes, verdicts
from bench.data.words.class_vectors import load_class_vectors
from bench.errors import UserError, unknown
from bench.utils.io import digest, read_json


def find_splits(
    dataset: str,
    protocol: str,
    profile: str | None,
    draws: FiftyFifty | None = None,
    lists: Path | None = None,
    start: Path | None = None,
) -> tuple[SplitFile, str]:
    """Return the content of a split file, and a note for the user ("" if there is none).

    Reads what the ``splits`` stage wrote, unless ``draws`` or ``lists`` ask for other splits.
    Otherwise builds the splits from the class list of the profile's data or of the public data
    set. Seen classes from another data set need word vectors and are then missing. ``start`` is a
    folder in the project.
    """
    if protocol not in PROTOCOLS:
        raise unknown("protocol", protocol, PROTOCOLS)
    root = find_root(start)
    configs = [load_config(root, name) for name in ([profile] if profile else profile_names(root))]
    config = next((one for one in configs if dataset in one.profile.datasets), None)
    stage = "'bench stage splits' has not run"
    if config is not None:
        described = config.profile.datasets[dataset]
        layout = Layout(root, config.name)
        built = SplitFile.read(layout.splits / f"{dataset}.{protocol}.json")
        if built and not (draws or lists):
            return built, ""
        classes = known_classes(described.classes, layout, dataset)
        draws = draws or config.profile.fifty_fifty
        if lists is None and described.lists:
            lists = root / described.lists
        stage = f"'bench stage splits -p {config.name}' has not run"
    else:
        try:
            classes = sorted(reference.classes(dataset))
        except UserError:
            known = {name for one in configs for name in one.profile.datasets}
            raise unknown("data set", dataset, {*known, *reference.class_lists()}) from None
    file = build(dataset, protocol, classes, [], root, draws or FiftyFifty(), lists)
    return file, "" if protocol in PER_SPLIT else f"seen is empty: {stage}"


def profile_names(root: Path) -> list[str]:
    """Return the profiles of params.yaml, the selected one first."""
    raw = read_parameters(root)
    return sorted(raw["profiles"], key=lambda name: name != raw.get("profile"))


def known_classes(described: tuple[str, ...] | None, layout: Layout, dataset: str) -> list[str]:
    """Return the class names given in params.yaml, indexed, or published, in this order.

    Raises UserError if there are none yet.
    """
    if described:
        return sorted(described)
    index = IndexFile.read(layout.index / f"{dataset}.json")
    if index:
        return index.classes
    try:
        return sorted(reference.classes(dataset))
    except UserError:
        raise UserError(
            f"the classes of {dataset} are not known yet; "
            f"run 'bench stage data -p {layout.profile}'"
        ) from None


def exclude(config: Config, layout: Layout) -> OverlapFile:
    """Return the content of overlap.json: the τ exclusion of training classes.

    Lists for each training class the nearest test class and whether the training class is kept.
    Test classes are the classes that the profile's protocols test (220 of them if k220 is the
    only one). Raises UserError if no training class is left.
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
    kept = [one["class"] for one in classes if one["kept"]]
    if not kept:
        raise UserError(f"tau = {tau} leaves no training class of {train_on}; make it smaller")
    return OverlapFile(
        train=train_on,
        test=tests,
        tau=tau,
        digest=digest([kept, sorted(tests)]),
        classes=classes,
    )


def build(
    name: str,
    protocol: str,
    classes: Sequence[str],
    seen: Sequence[str],
    root: Path,
    draws: FiftyFifty,
    lists: Path | None = None,
    videos: Mapping[str, Sequence[str]] | None = None,
) -> SplitFile:
    """Return the splits of a data set under one protocol, with their definition and digest.

    ``seen`` are the training classes of a transfer protocol. official3 needs ``lists`` and gzsl
    needs ``videos`` (class -> paths); UserError without them.
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
    return SplitFile(
        dataset=name,
        protocol=protocol,
        definition=definition,
        digest=digest(splits),
        splits=splits,
    )


def _halves(name: str, classes: Sequence[str], root: Path, draws: FiftyFifty) -> list[Split]:
    """Return the halves of the classes: published, from a file, or drawn."""
    if draws.published:
        return protocols.published(draws.published, name, classes)[: draws.draws]
    if not draws.file:
        return protocols.fifty_fifty(classes, draws.draws, draws.seed)
    raw = read_json(root / draws.file)
    if raw is None:
        raise UserError(f"split file {root / draws.file} is missing (fifty_fifty.file)")
    return protocols.given_splits(raw, name, classes, str(draws.file))[: draws.draws]


def find_classes(
    dataset: str, profile: str | None, vectors: bool = True
) -> tuple[str, list[str], Path | None, list[str]]:
    """Return the spelling of a data set, its classes, a file of word vectors (or None) and notes.

    Classes and vectors are those of one profile: the first with stored vectors of the words of its
    classes, else the first with the data set. A profile's list of classes has priority over the
    published list. ``vectors=False`` looks for no file.
    """
    from bench.data.reference.class_names import finder
    from bench.data.words.class_vectors import PUBLIC

    root = find_root()
    configs = [load_config(root, name) for name in ([profile] if profile else profile_names(root))]
    known = {name for config in configs for name in config.profile.datasets}
    dataset = finder("data set", known | set(PUBLIC))(dataset)
    configs = [config for config in configs if dataset in config.profile.datasets]
    if not configs:
        return dataset, list(reference.classes(dataset)), None, []
    # With class vectors from files, the stored word vectors are of other words than the classes'.
    with_vectors = [
        one
        for one in configs
        if one.profile.words.kind != "class_vectors"
        and (Layout(root, one.name).words / "vectors.npz").is_file()
    ]
    config = with_vectors[0] if vectors and with_vectors else configs[0]
    layout, words = Layout(root, config.name), config.profile.words
    names = known_classes(config.profile.datasets[dataset].classes, layout, dataset)
    if not vectors:
        return dataset, names, None, []
    if not with_vectors:
        named = words.file or words.vectors
        file = root / named if named and (root / named).is_file() else None
        return dataset, names, file, []
    file = layout.words / "vectors.npz"
    stored = WordsFile.read(layout.words / "words.json")
    notes = [
        f"{source} changed since {file} was made from it; run 'bench stage words -p {config.name}'"
        for source in (stored.changed_sources(root) if stored else ())
    ]
    return dataset, names, file, notes
