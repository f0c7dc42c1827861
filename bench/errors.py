"""Errors for bad input: one line that says what is wrong, where, and what to do."""

import difflib
import re
from collections.abc import Iterable


class UserError(Exception):
    """Bad input. The command line prints the message as one line and exits with 2."""


# Control characters, marks that change the writing direction, lone surrogates (which cannot be
# encoded) and line separators other than the line end.
_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)

_LISTED = 24  # most names in a message


def visible(text: str) -> str:
    """Return ``text`` with control characters escaped, as ``\\u001b``."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` for the closest known name, else the list of known names."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"; did you mean '{close[0]}'?"
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"; known: {', '.join(names[:_LISTED])}{more}" if names else ""


def unknown(kind: str, name: str, known: Iterable[str]) -> UserError:
    """Return the error for an unknown name, with the closest known one."""
    return UserError(f"unknown {kind} '{name}'{nearest(name, known)}")
