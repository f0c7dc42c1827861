"""Class name → words: the released rule of four families of data sets, and a plain one."""

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from itertools import takewhile

from bench.data import reference as facts
from bench.data.reference.class_names import key

# A data set belongs to the family that its name begins with: kinetics700_2020 to kinetics.
FAMILIES = {
    "ucf101": ("ucf101",),
    "hmdb51": ("hmdb51",),
    "kinetics": ("kinetics400", "kinetics600", "kinetics700"),
    "activitynet": ("activitynet200",),
}
PUBLIC = tuple(name for names in FAMILIES.values() for name in names)
STOP_WORDS = {"a", "the", "of", "and", "at", "on", "in", "an", "or", "do", "using", "with"}

_WORD = re.compile(r"[A-Z]?[a-z0-9']+|[A-Z]+(?![a-z])")


def class_words(dataset: str, names: Sequence[str]) -> dict[str, list[str]]:
    """Return class -> words.

    A class that the data set's family knows has the words that the released code gives it, whatever
    the spelling of its name (case, spaces, punctuation); another one has those of ``rule``; in a
    data set of no family, a class has those of ``split`` as they stand.
    """
    family = family_of(dataset)
    if not family:
        return {name: split("", name) for name in names}
    known = known_words(dataset)
    return {name: list(known.get(key(name)) or rule(family, name)) for name in names}


def known_words(dataset: str) -> dict[str, list[str]]:
    """Return ``key`` of a class -> words, of the classes that a data set's family knows."""
    lists = FAMILIES.get(family_of(dataset), ())
    ordered = sorted(lists, key=lambda one: one == key(dataset))  # its own one wins
    return {key(name): words for one in ordered for name, words in facts.classes(one).items()}


def family_of(dataset: str) -> str:
    """Return the family of a data set's name, "" for none."""
    return next((family for family in FAMILIES if key(dataset).startswith(family)), "")


def rule(family: str, name: str) -> list[str]:
    """Return the words of a class name that no table has: split it, then take base forms.

    The released code asks WordNet for the base form of every word that has a verb sense. Here the
    base forms are those of the known classes' words (``base_forms``); a word that they do not show
    is kept as it stands, so a new class's verb may stay in its -ing form. The word vectors have
    such forms too, near the base form.
    """
    base = base_forms()
    return [base.get(word, word) for word in split(family, name)]


def split(family: str, name: str) -> list[str]:
    """Return a name's words in lower case, in the way of a family.

    Kinetics, ActivityNet: at spaces (and ``_``, which folders have for them), without
    ``STOP_WORDS``, brackets and all that follows ``(not``. Others: at capitals and at anything but
    letters, digits and apostrophes, which serves UCF101, HMDB51 and data sets of no family.
    """
    name = unicodedata.normalize("NFC", name)
    if family not in ("kinetics", "activitynet"):
        return [name[slice(*found.span())].lower() for found in _WORD.finditer(_in_ascii(name))]
    words = takewhile(lambda word: word != "(not", re.split(r"[\s_]+", name.lower()))
    bare = (word.strip("()") for word in words)
    return [word for word in bare if word and word not in STOP_WORDS]


def _in_ascii(name: str) -> str:
    """Return a text as long as ``name`` in which every letter is one of ASCII, for ``_WORD``."""
    letters = ""
    for char in name:
        if char.isascii():
            letters += char
        elif unicodedata.category(char).startswith("M"):
            letters += letters[-1:] or " "  # a mark goes with its letter
        else:
            letters += "A" if char.isupper() else "a" if char.isalnum() else " "
    return letters


@cache
def base_forms() -> dict[str, str]:
    """Return word -> base form, for each word of the known classes that follow the rule.

    A word with two base forms would be a ``ValueError``: the class lists have none.
    """
    found: dict[str, str] = {}
    for family, datasets in FAMILIES.items():
        for dataset in datasets:
            irregular = facts.exceptions(dataset)
            for name, words in facts.classes(dataset).items():
                if name in irregular:
                    continue
                for word, base in zip(split(family, name), words, strict=True):
                    if found.setdefault(word, base) != base:
                        raise ValueError(f"{dataset}: '{word}' of '{name}' has two base forms")
    return found
