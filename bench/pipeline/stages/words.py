"""Stage words: a vector for every class of every data set of the profile."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.config.paths import Layout
from bench.config.profile import Config
from bench.data.formats.index_file import IndexFile
from bench.data.formats.words_file import FileSample, WordsFile
from bench.data.words.class_vectors import Words, class_vectors, class_words, given_class_vectors
from bench.data.words.word_vectors import read_vectors, write_vectors
from bench.errors import UserError
from bench.features.object_vocabulary import object_names
from bench.features.text_encoder import spoken, text_words
from bench.utils.io import digest, replacing

Arrays = dict[str, NDArray[np.float32]]


def run(config: Config, layout: Layout) -> None:
    """Write ``data/<profile>/words``.

    classes.npz has the class vectors, words.json their words, digests and source files, and
    vectors.npz the unit vectors of all words that the profile uses (only those of its inputs if
    the profile gives class vectors). The generated world also has vectors.bin, trained here.
    """
    names = {
        name: IndexFile.require(layout.index / f"{name}.json").classes
        for name in config.profile.datasets
    }
    words = {name: class_words(name, classes) for name, classes in names.items()}
    more = _other_words(config, layout, names)
    layout.words.mkdir(parents=True, exist_ok=True)
    if config.profile.words.kind == "class_vectors":
        files = [_file(config, name) for name in names]
        arrays = {
            name: given_class_vectors(layout.root / file, classes, name)
            for (name, classes), file in zip(names.items(), files, strict=True)
        }
        if config.profile.words.vectors is not None:
            files.append(config.profile.words.vectors)
            write_vectors(layout.words / "vectors.npz", read_vectors(layout.root / files[-1], more))
    elif config.profile.words.kind == "corpus":
        from bench.data.synthetic.corpus import train_vectors

        files = []
        train_vectors(layout.words / "vectors.bin")
        arrays = _looked_up(layout.words / "vectors.bin", words, more, layout)
    elif config.profile.words.file is None:
        raise UserError(f"profile {config.name}: words of kind word2vec need 'file: PATH'")
    else:
        files = [config.profile.words.file]
        arrays = _looked_up(layout.root / files[0], words, more, layout)
    stored: dict[str, Any] = {}
    for name, array in arrays.items():
        stored[f"{name}.names"] = np.array(list(names[name]))
        stored[f"{name}.vectors"] = array
    with replacing(layout.words / "classes.npz") as part, part.open("wb") as handle:
        np.savez(handle, **stored)
    facts = WordsFile(
        digests={name: digest(array.tobytes()) for name, array in arrays.items()},
        sources={str(file): FileSample.of(layout.root / file) for file in files},
        classes=words,
    )
    facts.write(layout.words / "words.json")
    print(f"class vectors of {sum(map(len, names.values()))} classes")


def _other_words(config: Config, layout: Layout, names: Mapping[str, list[str]]) -> set[str]:
    """Return the words of definitions and object names; some may have no vector."""
    try:
        objects = object_names(config.profile, layout.root)
    except UserError:
        objects = []  # the inputs stage reports the error
    named = (spoken(one).split() for one in objects)
    return text_words(config.profile, layout.root, names) | {w for words in named for w in words}


def _looked_up(path: Path, words: Mapping[str, Words], more: set[str], layout: Layout) -> Arrays:
    """Return data set -> class vectors [K,D] from a file, and store its used vectors."""
    needed = {word for classes in words.values() for listed in classes.values() for word in listed}
    vectors = read_vectors(path, needed | more)
    arrays = class_vectors(words, vectors, path.name)
    write_vectors(layout.words / "vectors.npz", vectors)
    return arrays


def _file(config: Config, name: str) -> Path:
    files = config.profile.words.files
    if name not in files:
        raise UserError(f"profile {config.name}: words.files names no file for data set {name}")
    return files[name]
