"""Definitions of classes and objects, and the words in them that need vectors."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from textwrap import shorten
from typing import Any

from bench.config.profile import Profile
from bench.data.reference.class_names import key
from bench.data.synthetic.corpus import definitions
from bench.data.words.class_words import split
from bench.errors import UserError
from bench.utils.io import DAMAGED, parsed_json

_NAMES, _TEXTS = ("word", "label", "class", "name"), ("defn", "text", "definition", "description")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def words_in(text: str) -> list[str]:
    """Return the words of a text in order: letters, digits and inner apostrophes."""
    return _WORD.findall(text)


def spoken(name: str) -> str:
    """Return a class name as words: ``ApplyEyeMakeup`` and ``apply_eye_makeup`` alike."""
    return " ".join(split("", name))


def read_texts(path: Path) -> dict[str, str]:
    """Return ``key`` of a name -> its text from a .json.

    The file maps names to a text or to a list of texts, which are joined; or it is a list of
    objects with a name ("word", "label", "class" or "name") and a text ("defn", "text",
    "definition" or "description"). Raises UserError for a file that cannot be read.
    """
    try:
        raw = parsed_json(path.read_text(encoding="utf-8"))
        if isinstance(raw, list):
            pairs = [(_field(one, _NAMES), _field(one, _TEXTS)) for one in raw]
        else:
            pairs = list(raw.items())
        found: dict[str, tuple[str, str]] = {}
        for name, text in ((str(name), _joined(text)) for name, text in pairs):
            other, same = found.setdefault(key(name), (name, text))
            if same != text:
                raise ValueError(f"'{other}' and '{name}' are one name with two texts")
    except FileNotFoundError:
        raise UserError(f"texts {path} are missing; set their path in params.yaml") from None
    except DAMAGED as error:
        raise UserError(f"texts {path}: cannot be read ({' '.join(str(error).split())})") from None
    return {name: text for name, (_, text) in found.items()}


def class_texts(profile: Profile, root: Path, dataset: str, classes: Sequence[str]) -> list[str]:
    """Return "name: definition" of each class. Raises UserError for a class without a text."""
    described = profile.inputs.texts
    if described is None:
        raise UserError(f"profile describes no texts; set inputs.texts for {dataset}")
    if described.kind == "generated":
        known, source = {key(n): t for n, t in definitions().items()}, "the embedded world"
    elif dataset not in described.files:
        raise UserError(f"inputs.texts.files names no .json for data set {dataset}")
    else:
        path = (root / described.files[dataset]).resolve()
        known, source = read_texts(path), str(path)
    return named(classes, known, source)


def named(names: Sequence[str], known: Mapping[str, str], source: str) -> list[str]:
    """Return "name: text" of each name in any spelling. Raises UserError for one without a text."""
    lacking = [name for name in names if not known.get(key(name), "").strip()]
    if lacking:
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        raise UserError(f"no text of '{lacking[0]}'{more} in {source}; add it there")
    return [f"{spoken(name)}: {known[key(name)]}" for name in names]


def text_words(profile: Profile, root: Path, classes: Mapping[str, Sequence[str]]) -> set[str]:
    """Return the words, as written and in lower case, of the texts that the profile describes.

    Texts that cannot be read are skipped: stage ``inputs`` reports them.
    """
    described = profile.inputs
    texts: list[str] = []
    if described.texts is not None:
        for dataset, names in classes.items():
            try:
                texts += class_texts(profile, root, dataset, names)
            except UserError:
                continue
    if described.objects is not None and described.objects.kind == "shapes":
        texts += [f"{name}: {text}" for name, text in definitions().items()]
    elif described.objects is not None and described.objects.texts is not None:
        with suppress(UserError):
            texts += read_texts(root / described.objects.texts).values()
    words = {word for text in texts for word in words_in(text)}
    return words | {word.lower() for word in words}


def _field(one: Mapping[str, Any], names: Sequence[str]) -> Any:
    for name in names:
        if name in one:
            return one[name]
    raise ValueError(f"an entry has none of {', '.join(names)}")


def _joined(text: Any) -> str:
    parts = text if isinstance(text, list) else [text]
    if not all(isinstance(part, str) for part in parts):
        raise ValueError(f"'{shorten(str(text), 40)}' is not a text")
    return ". ".join(parts)
