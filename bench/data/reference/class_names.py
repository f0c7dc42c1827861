"""Compare class names without regard to case, spaces, underscores and punctuation."""

import unicodedata
from collections.abc import Callable, Iterable

from bench.errors import unknown


def key(name: str) -> str:
    """Return what two spellings of one name share (``Hand_stand Pushups``: handstandpushups).

    Accents and vowel signs count; composed and decomposed forms (file names of macOS) are equal.
    """
    letters = unicodedata.normalize("NFC", name).casefold()
    return "".join(c for c in letters if c.isalnum() or unicodedata.category(c)[0] == "M")


def finder(what: str, known: Iterable[str]) -> Callable[[str], str]:
    """Return a function that turns any spelling into the one in ``known``.

    It raises UserError (``unknown <what> …``, with the nearest known name) for any other name.
    """
    spelling = {key(name): name for name in known}

    def find(name: str) -> str:
        try:
            return spelling[key(name)]
        except KeyError:
            raise unknown(what, name, spelling.values()) from None

    return find
