"""``bench splits`` and ``bench words``: class splits, class names and their words."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli import completion
from bench.cli.options import AsJson, Dataset, Profile, TestLists, TextFormat
from bench.cli.output import is_json, print_json
from bench.config.paths import Layout, find_root
from bench.errors import UserError, unknown
from bench.utils.terminal import print_hanging

if TYPE_CHECKING:
    from bench.config.profile import Config


app = typer.Typer(rich_markup_mode=None, help="Class splits by name.")


@app.command("show")
def splits_show(
    dataset: Dataset,
    protocol: Annotated[
        str,
        typer.Argument(help=", ".join(completion.PROTOCOLS), autocompletion=completion.protocols),
    ],
    published: Annotated[
        bool, typer.Option("--published", help="fifty-fifty: the 50 draws of Xu et al. 2017.")
    ] = False,
    lists: TestLists = None,
    fmt: TextFormat = "text",
    as_json: AsJson = False,
    profile: Profile = None,
) -> None:
    """Print a protocol's class splits.

    Example: bench splits show ucf101 truze --json
    """
    from bench.config.profile import PROTOCOLS, FiftyFifty
    from bench.pipeline.class_splits import find_splits

    as_json = is_json(fmt, as_json)
    if protocol not in PROTOCOLS:
        raise unknown("protocol", protocol, PROTOCOLS)
    if published and protocol != "fifty-fifty":
        raise UserError("--published is of fifty-fifty alone")
    if lists and protocol != "official3":
        raise UserError("--lists is of official3 alone")
    draws = FiftyFifty(published="xu50") if published else None
    file, note = find_splits(dataset, protocol, profile, draws, lists)
    if note:
        print(f"note: {note}", file=sys.stderr)
    if as_json:
        print_json(file["splits"])
        return
    print_hanging(
        f"{file['dataset']} {file['protocol']}: {file['definition']} (hash {file['digest']})", 3
    )
    for one in file["splits"]:
        lists_of = {key: value for key, value in one.items() if key != "name"}
        counts = ", ".join(f"{len(names)} {key}" for key, names in lists_of.items())
        print(f"{one['name']}: {counts}")
        for key, names in lists_of.items():
            print_hanging(f"   {key}: {', '.join(names)}", 6)


NEAR = 0.02  # distance to τ within which a class is listed as borderline


@app.command("overlap")
def splits_overlap(
    tau: Annotated[
        float | None, typer.Option("--tau", min=0, help="Default: the profile's.")
    ] = None,
    train: Annotated[
        str | None,
        typer.Option(
            "--train",
            help="Training data set, for example kinetics700.",
            autocompletion=completion.data_sets,
        ),
    ] = None,
    test: Annotated[
        str | None,
        typer.Option(
            "--test",
            help="Test data sets, for example ucf101,hmdb51.",
            autocompletion=completion.data_sets,
        ),
    ] = None,
    vectors: Annotated[
        Path | None, typer.Option("--vectors", help="Word vectors: .bin(.gz), text or .npz.")
    ] = None,
    borderline: Annotated[
        int | None,
        typer.Option("--borderline", min=0, help=f"N a side of τ; default: within {NEAR}."),
    ] = None,
    fmt: TextFormat = "text",
    as_json: AsJson = False,
    profile: Profile = None,
) -> None:
    """Print the classes that τ keeps and removes.

    Example: bench splits overlap --train kinetics700 --test ucf101,hmdb51
    """
    from bench.config.profile import load_config
    from bench.data.splits.overlap import Nearest

    as_json = is_json(fmt, as_json)
    root = find_root()
    config = load_config(root, profile)
    layout = Layout(root, config.name)
    tests = [name for one in (test or "").split(",") if (name := one.strip())]
    if bool(train) != bool(tests) or (vectors and not train):
        raise UserError("--train and --test go together, and --vectors with them")
    limit = config.profile.tau if tau is None else tau
    if train:
        overlap = _of_union(train, tests, limit, vectors, config, layout)
    else:
        overlap = _of_profile(layout)
    kept: list[str] = list(overlap.get("far", []))
    undecided: list[dict[str, Any]] = overlap.get("undecided", [])
    if limit <= 0:  # no filter, whatever a distance would be
        kept += [one["class"] for one in undecided if one["dataset"] == train]
        undecided = []
    removed: list[dict[str, Any]] = []
    measured: list[dict[str, Any]] = []
    for one in overlap["classes"]:
        nearest = Nearest(one["class"], one["nearest"], one["dataset"], float(one["distance"]))
        # The file's distances are rounded; at the τ that it was made with, its own verdict counts.
        keep = one["kept"] if limit == overlap["tau"] else nearest.kept(limit)
        entry = {k: one[k] for k in ("class", "nearest", "dataset", "distance")}
        measured.append({**entry, "kept": keep})
        if keep:
            kept.append(one["class"])
        else:
            removed.append(entry)
    value = {
        "train": overlap["train"],
        "test": overlap["test"],
        "tau": limit,
        "kept": sorted(kept) if train else kept,
        "removed": removed,
        "borderline": _borderline(measured, limit, borderline),
        "undecided": undecided,
        "by": overlap.get("by", "vectors"),
    }
    if as_json:
        print_json(value)
    else:
        _print_overlap(value)


def _print_overlap(value: Mapping[str, Any]) -> None:
    kept, removed, undecided = value["kept"], value["removed"], value["undecided"]
    open_ones = [one for one in undecided if one["dataset"] == value["train"]]
    total = len(kept) + len(removed) + len(open_ones)
    more = f", {len(open_ones)} undecided for want of word vectors" if open_ones else ""
    if value["by"] == "words" and value["tau"] > 0:
        more = ", by their very words alone: without word vectors no distance is known"
    print(f"tau = {value['tau']:g}: {len(kept)} of {total} classes of {value['train']} kept{more}")

    def line(one: Mapping[str, Any]) -> str:
        where = f"{one['nearest']} ({one['dataset']})"
        return f"{one['class']}: {max(0.0, float(one['distance'])):.4f} from {where}"

    for one in sorted(removed, key=lambda one: float(one["distance"])):
        print_hanging(f"removed {line(one)}", 2)
    for one in value["borderline"]:
        print_hanging(f"borderline {line(one)}, {'kept' if one['kept'] else 'removed'}", 2)
    for one in undecided:
        print_hanging(
            f"no vector {one['class']} ({one['dataset']}): lacks {', '.join(one['words'])}", 2
        )
    print_hanging(f"kept: {', '.join(kept)}", 6)


def _borderline(
    classes: Sequence[dict[str, Any]], tau: float, count: int | None
) -> list[dict[str, Any]]:
    """Return the classes next to τ, by distance: ``count`` a side, or all within ``NEAR``."""
    ordered = sorted(classes, key=lambda one: (float(one["distance"]), one["class"]))
    if count is None:
        return [one for one in ordered if abs(float(one["distance"]) - tau) <= NEAR + 1e-9]
    below = [one for one in ordered if float(one["distance"]) < tau]
    above = [one for one in ordered if float(one["distance"]) >= tau]
    return below[len(below) - min(count, len(below)) :] + above[:count]


def _of_profile(layout: Layout) -> Any:
    from bench.experiments.plan import VERDICTS
    from bench.utils.io import read_json

    file = layout.splits / "overlap.json"
    overlap = read_json(file, "train", test=[str], tau=float, classes=VERDICTS)
    if overlap is None:
        raise UserError(
            f"profile {layout.profile} has no overlap file: it trains on no other data set, "
            "or 'bench stage splits' has not run; --train and --test need none"
        )
    return overlap


def _of_union(
    train: str, tests: list[str], tau: float, file: Path | None, config: "Config", layout: Layout
) -> dict[str, Any]:
    """Measure the classes of public data sets, as an overlap file has them.

    Beside it "far": classes that share no test class's words where no vectors are known at all, and
    "undecided": classes of which vectors lack words, and "by": "words" or "vectors", the compared.
    """
    import numpy as np

    from bench.data import reference as facts
    from bench.data.splits.overlap import Nearest, nearest_test_classes, verdicts

    names = list(dict.fromkeys([train, *tests]))
    words = {name: facts.classes(name) for name in names}
    vectors, undecided = _vectors(words, file, config, layout)
    same = {
        frozenset(listed): (dataset, name)
        for dataset in reversed(tests)
        for name, listed in words[dataset].items()
    }
    keys = {name: frozenset(listed) for name, listed in words[train].items()}
    exact = {name: same[key] for name, key in keys.items() if key in same}
    found = []
    split = {n: (list(v), np.stack(list(v.values()))) for n, v in vectors.items() if v}
    if train in split and split.keys() & set(tests):
        found = nearest_test_classes(split[train], {n: split[n] for n in tests if n in split})
    done = {one.name for one in found}
    found += [Nearest(c, name, of, 0.0) for c, (of, name) in exact.items() if c not in done]
    done |= exact.keys()
    far = [] if vectors else [c for c in words[train] if c not in done]
    left = [one for one in undecided if one["dataset"] != train or one["class"] not in done]
    if not vectors:
        print(
            "note: no word vectors, so only classes with the very same words are found; "
            "--vectors FILE measures the others",
            file=sys.stderr,
        )
    return {
        "train": train,
        "test": tests,
        "tau": tau,
        "classes": verdicts(found, tau),
        "far": far,
        "undecided": left,
        "by": "vectors" if vectors else "words",
    }


def _vectors(
    words: Mapping[str, Mapping[str, Sequence[str]]],
    file: Path | None,
    config: "Config",
    layout: Layout,
) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
    """Return data set -> class -> vector, and the classes of which the file lacks words.

    Without a file those of the profile's words stage, if it has all data sets, else of the word
    vectors that the profile names; {} if they are not there.
    """
    from bench.data.words.class_vectors import class_vectors, load_class_vectors
    from bench.data.words.word_vectors import read_vectors

    if file is None:
        try:
            return {name: load_class_vectors(layout.words, name) for name in words}, []
        except UserError:
            of_profile = config.profile.words
            if of_profile.kind != "word2vec" or of_profile.file is None:
                return {}, []
            file = layout.root / of_profile.file
            if not file.is_file():
                return {}, []
    wanted = {w for classes in words.values() for listed in classes.values() for w in listed}
    found = read_vectors(file, wanted)
    vectors, lacking = {}, []
    for name, classes in words.items():
        whole = {c: listed for c, listed in classes.items() if found.keys() >= set(listed)}
        means = class_vectors({name: whole}, found, str(file))[name]
        vectors[name] = dict(zip(whole, means, strict=True))
        lacking += [
            {"class": c, "dataset": name, "words": sorted(set(listed) - found.keys())}
            for c, listed in classes.items()
            if c not in whole
        ]
    return vectors, lacking


def words(
    dataset: Dataset,
    fmt: TextFormat = "text",
    vectors: Annotated[
        Path | None, typer.Option("--vectors", help="Look the words up in this file.")
    ] = None,
    as_json: AsJson = False,
    profile: Profile = None,
) -> None:
    """Print each class's words, and which lack a vector.

    Example: bench words ucf101 --json
    """
    from bench.data.words.class_vectors import missing
    from bench.data.words.class_words import class_words
    from bench.data.words.word_vectors import read_vectors

    as_json = is_json(fmt, as_json)
    dataset, names, kept = _find_classes(dataset, profile, keep=vectors is None)
    classes = class_words(dataset, names)
    file = vectors or kept
    lacking = None
    if file:
        found = read_vectors(file, {word for listed in classes.values() for word in listed})
        lacking = missing(classes, found)
    else:
        print("note: no word vectors to look the words up in; --vectors FILE", file=sys.stderr)
    if as_json:
        value = {"dataset": dataset, "classes": classes, "missing": lacking}
        print_json(value)
        return
    for name, listed in classes.items():
        print(f"{name}: {' '.join(listed)}")
    if lacking is not None:
        print(f"{len(lacking)} words without a vector in {file}")
        for word, wanting in lacking.items():
            print(f"  {word}: {', '.join(wanting)}")


def _find_classes(
    dataset: str, profile: str | None, keep: bool
) -> tuple[str, list[str], Path | None]:
    """Return a data set's own spelling, its classes and, with ``keep``, a file of word vectors.

    Classes and vectors are those of one profile: the first that has kept vectors of its classes'
    words, else the first, with the file that it takes vectors from. A profile's own list of classes
    goes before the published one.
    """
    from bench.config.paths import Layout, find_root
    from bench.config.profile import load_config
    from bench.data.reference import classes
    from bench.data.reference.class_names import finder
    from bench.data.words.class_words import PUBLIC
    from bench.pipeline.class_splits import known_classes, profile_names
    from bench.pipeline.stages.words import changed

    root = find_root()
    chosen = [profile] if profile else profile_names(root)
    configs = [load_config(root, name) for name in chosen]
    known = {name for config in configs for name in config.profile.datasets}
    dataset = finder("data set", known | set(PUBLIC))(dataset)
    configs = [config for config in configs if dataset in config.profile.datasets]
    if not configs:
        return dataset, list(classes(dataset)), None
    # Vectors kept beside those of whole classes are of other words than the classes'.
    having = [
        one
        for one in configs
        if one.profile.words.kind != "class_vectors"
        and (Layout(root, one.name).words / "vectors.npz").is_file()
    ]
    config = having[0] if keep and having else configs[0]
    layout, given = Layout(root, config.name), config.profile.words
    names = known_classes(config.profile.datasets[dataset].classes, layout, dataset)
    if not keep:
        return dataset, names, None
    if not having:
        file = given.file or given.vectors
        return dataset, names, root / file if file and (root / file).is_file() else None
    file = layout.words / "vectors.npz"
    for source in changed(layout):
        print(
            f"note: {source} is another file than {file} is from; "
            f"'bench stage words -p {layout.profile}'",
            file=sys.stderr,
        )
    return dataset, names, file
