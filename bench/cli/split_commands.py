"""``bench splits`` and ``bench words``: class splits, class names and their words."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.cli import completion
from bench.cli.options import AsJson, Dataset, Profile, TestLists, TextFormat, opened
from bench.cli.output import is_json, print_json
from bench.config.paths import Layout
from bench.errors import UserError
from bench.utils.terminal import print_hanging

app = typer.Typer(rich_markup_mode=None, help="Show class splits and the overlap filter.")


@app.command("show")
def show(
    dataset: Dataset,
    protocol: Annotated[
        str,
        typer.Argument(
            help=f"One of {', '.join(completion.PROTOCOLS)}.", autocompletion=completion.protocols
        ),
    ],
    published: Annotated[
        bool,
        typer.Option("--published", help="Use the 50 draws of Xu et al. 2017 for fifty-fifty."),
    ] = False,
    lists: TestLists = None,
    fmt: TextFormat = "text",
    as_json: AsJson = False,
    profile: Profile = None,
) -> None:
    """Print the class splits of a protocol.

    Example: bench splits show ucf101 truze --json
    """
    from bench.config.profile import FiftyFifty
    from bench.pipeline.class_splits import find_splits

    as_json = is_json(fmt, as_json)
    if published and protocol != "fifty-fifty":
        raise UserError("--published applies to fifty-fifty only")
    if lists and protocol != "official3":
        raise UserError("--lists applies to official3 only")
    draws = FiftyFifty(published="xu50") if published else None
    file, note = find_splits(dataset, protocol, profile, draws, lists)
    if note:
        print(f"note: {note}", file=sys.stderr)
    if as_json:
        print_json(file.splits)
        return
    print_hanging(f"{file.dataset} {file.protocol}: {file.definition} (hash {file.digest})", 3)
    for split in file.splits:
        names: dict[str, Any] = {key: value for key, value in split.items() if key != "name"}
        counts = ", ".join(f"{len(listed)} {key}" for key, listed in names.items())
        print(f"{split['name']}: {counts}")
        for key, listed in names.items():
            print_hanging(f"   {key}: {', '.join(listed)}", 6)


@app.command("overlap")
def overlap(
    tau: Annotated[
        float | None, typer.Option("--tau", min=0, help="Threshold (default: the profile's).")
    ] = None,
    train: Annotated[
        str | None,
        typer.Option(
            "--train",
            help="Training data set, e.g. kinetics700.",
            autocompletion=completion.data_sets,
        ),
    ] = None,
    test: Annotated[
        str | None,
        typer.Option(
            "--test",
            help="Test data sets, e.g. ucf101,hmdb51.",
            autocompletion=completion.data_sets,
        ),
    ] = None,
    vectors: Annotated[
        Path | None, typer.Option("--vectors", help="Word vectors: .bin, .bin.gz, text or .npz.")
    ] = None,
    borderline: Annotated[
        int | None,
        typer.Option(
            "--borderline", min=0, help="Classes to list on each side of τ (default: within 0.02)."
        ),
    ] = None,
    fmt: TextFormat = "text",
    as_json: AsJson = False,
    profile: Profile = None,
) -> None:
    """Print the training classes that τ keeps and removes.

    Example: bench splits overlap --train kinetics700 --test ucf101,hmdb51
    """
    from bench.data.splits.overlap import at_tau, public_overlap

    as_json = is_json(fmt, as_json)
    config, layout = opened(profile)
    tests = [name for one in (test or "").split(",") if (name := one.strip())]
    if bool(train) != bool(tests) or (vectors and not train):
        raise UserError("--train and --test go together, and --vectors needs both")
    limit = config.profile.tau if tau is None else tau
    if train:
        found = public_overlap(train, tests, limit, config, layout, vectors)
        if found["by"] == "words":
            print(
                "note: no word vectors, so only classes with the same words are found; "
                "give --vectors FILE to measure distances",
                file=sys.stderr,
            )
    else:
        found = _stored_overlap(layout)
    value = at_tau(found, limit, borderline)
    if as_json:
        print_json(value)
    else:
        _print_overlap(value)


def words(
    dataset: Dataset,
    fmt: TextFormat = "text",
    vectors: Annotated[
        Path | None, typer.Option("--vectors", help="File of word vectors to look the words up in.")
    ] = None,
    as_json: AsJson = False,
    profile: Profile = None,
) -> None:
    """Print the words of each class, and those without a vector.

    Example: bench words ucf101 --json
    """
    from bench.data.words.class_vectors import class_words, missing
    from bench.data.words.word_vectors import read_vectors
    from bench.pipeline.class_splits import find_classes

    as_json = is_json(fmt, as_json)
    dataset, names, stored, notes = find_classes(dataset, profile, vectors=vectors is None)
    classes = class_words(dataset, names)
    without = None
    if file := vectors or stored:
        found = read_vectors(file, {word for listed in classes.values() for word in listed})
        without = missing(classes, found)
    else:
        notes.append("no word vectors to look the words up in; give --vectors FILE")
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    if as_json:
        print_json({"dataset": dataset, "classes": classes, "missing": without})
        return
    for name, listed in classes.items():
        print(f"{name}: {' '.join(listed)}")
    if without is not None:
        print(f"{len(without)} words without a vector in {file}")
        for word, affected in without.items():
            print(f"  {word}: {', '.join(affected)}")


def _stored_overlap(layout: Layout) -> Any:
    from bench.data.formats.overlap_file import OverlapFile

    found = OverlapFile.read(layout.splits / "overlap.json")
    if found is None:
        raise UserError(
            f"profile {layout.profile} has no overlap file: it has no separate training data set, "
            "or 'bench stage splits' has not run; --train and --test work without one"
        )
    return found.content()


def _print_overlap(value: Mapping[str, Any]) -> None:
    kept, removed, undecided = value["kept"], value["removed"], value["undecided"]
    without = [one for one in undecided if one["dataset"] == value["train"]]
    total = len(kept) + len(removed) + len(without)
    more = f", {len(without)} undecided because words have no vector" if without else ""
    if value["by"] == "words" and value["tau"] > 0:
        more = ", compared by their words only (no word vectors)"
    print(f"tau = {value['tau']:g}: {len(kept)} of {total} classes of {value['train']} kept{more}")

    def line(one: Mapping[str, Any]) -> str:
        distance = max(0.0, float(one["distance"]))
        return f"{one['class']}: {distance:.4f} from {one['nearest']} ({one['dataset']})"

    for one in sorted(removed, key=lambda one: float(one["distance"])):
        print_hanging(f"removed {line(one)}", 2)
    for one in value["borderline"]:
        print_hanging(f"borderline {line(one)}, {'kept' if one['kept'] else 'removed'}", 2)
    for one in undecided:
        missing = ", ".join(one["words"])
        print_hanging(f"undecided {one['class']} ({one['dataset']}): no vector for {missing}", 2)
    print_hanging(f"kept: {', '.join(kept)}", 6)
