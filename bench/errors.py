"""Errors that are the user's to mend: one line that says what, where and what to do."""

import difflib
import re
from collections.abc import Iterable


class UserError(Exception):
    """Bad input. The command line prints the message as one line and exits with 2."""


# Control characters (terminals obey them), marks that turn the direction of writing, halves of
# surrogate pairs (no file takes them) and separators of lines other than the line end.
_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)

_LISTED = 24  # names of a message


def visible(text: str) -> str:
    """Return ``text`` with characters that act instead of showing as ``\\u001b`` and the like."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` for the nearest known name, else the list of known names."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"; did you mean '{close[0]}'?"
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"; known: {', '.join(names[:_LISTED])}{more}" if names else ""


def unknown(kind: str, name: str, known: Iterable[str]) -> UserError:
    """Build the error for a name that does not exist, with the nearest one that does."""
    return UserError(f"unknown {kind} '{name}'{nearest(name, known)}")
