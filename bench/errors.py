"""Errors that are the user's to mend: one line that says what, where and what to do."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Bad input. The command line prints the message as one line and exits with 2."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` for the nearest known name, else the list of known names."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; known: {', '.join(names)}" if names else ""


def unknown(kind: str, name: str, known: Iterable[str]) -> UserError:
    """Build the error for a name that does not exist, with the nearest one that does."""
    return UserError(f"unknown {kind} '{name}'{nearest(name, known)}")
