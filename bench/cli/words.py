"""``bench words``: the words of each class, and those that the word vectors lack."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.splits import AsJson, Dataset, TextFormat, is_json, print_json
from bench.cli.stages import Profile


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
    from bench.data.words.tokenise import class_words
    from bench.data.words.vectors import read_vectors

    as_json = is_json(fmt, as_json)
    dataset, names, kept = _find(dataset, profile, keep=vectors is None)
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


def _find(dataset: str, profile: str | None, keep: bool) -> tuple[str, list[str], Path | None]:
    """Return a data set's own spelling, its classes and, with ``keep``, a file of word vectors.

    Classes and vectors are those of one profile: the first that has kept vectors of its classes'
    words, else the first, with the file that it takes vectors from. A profile's own list of classes
    goes before the published one.
    """
    from bench.config.paths import Layout, find_root
    from bench.config.profile import load_config
    from bench.data.reference import classes
    from bench.data.reference.class_names import finder
    from bench.data.words.tokenise import PUBLIC
    from bench.pipeline.inference.find_splits import known_classes, profile_names
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
