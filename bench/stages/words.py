"""Stage words: one vector for each class of each data set of the profile."""

from typing import Any

import numpy as np

from bench.config import Config
from bench.errors import UserError
from bench.files import digest, dump_json, read_json, replacing, write_text
from bench.layout import Layout
from bench.words.classes import class_vectors, class_words, given_class_vectors
from bench.words.vectors import read_vectors


def run(config: Config, layout: Layout) -> None:
    """Write ``data/<profile>/words``: classes.npz, words.json and, for the world, vectors.bin."""
    names = {name: _classes(layout, name) for name in config.profile.datasets}
    words = {name: class_words(name, classes) for name, classes in names.items()}
    layout.words.mkdir(parents=True, exist_ok=True)
    if config.profile.words.kind == "class_vectors":
        arrays = {
            name: given_class_vectors(_file(config, layout, name), classes, name)
            for name, classes in names.items()
        }
    else:
        path = layout.words / "vectors.bin"
        if config.profile.words.kind == "corpus":
            from bench.words.corpus import train_vectors

            train_vectors(path)
        elif config.profile.words.file is None:
            raise UserError(f"profile {config.name}: words of kind word2vec need 'file: PATH'")
        else:
            path = layout.root / config.profile.words.file
        needed = {w for listed in words.values() for ws in listed.values() for w in ws}
        vectors = read_vectors(path, needed)
        arrays = {name: class_vectors(words[name], vectors, path.name) for name in names}
    stored: dict[str, Any] = {}
    for name, array in arrays.items():
        stored[f"{name}.names"] = np.array(list(names[name]))
        stored[f"{name}.vectors"] = array
    with replacing(layout.words / "classes.npz") as part, part.open("wb") as handle:
        np.savez(handle, **stored)
    facts = {
        "digests": {name: digest(array.tobytes()) for name, array in arrays.items()},
        "classes": words,
    }
    write_text(layout.words / "words.json", dump_json(facts))
    print(f"class vectors of {sum(map(len, names.values()))} classes")


def _classes(layout: Layout, name: str) -> list[str]:
    facts = read_json(layout.index / f"{name}.json", "classes")
    if facts is None:
        raise UserError(f"{layout.index}/{name}.json is missing; run 'bench stage data'")
    return list(facts["classes"])


def _file(config: Config, layout: Layout, name: str) -> Any:
    files = config.profile.words.files
    if name not in files:
        raise UserError(f"profile {config.name}: words.files names no file for data set {name}")
    return layout.root / files[name]
