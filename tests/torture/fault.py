"""What a fault is, and what is written of each try."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from .world import World


class NotPossible(Exception):
    """This machine cannot make the fault (no right to mount, no DVC); the reason says which."""


@dataclass(frozen=True)
class Fault:
    """One kind of fault.

    ``attempt`` makes it once, in an arena of its own, and asserts what ``holds``; it returns what
    happened in a few words, which the table counts. ``tries`` is how often the long form makes it.
    """

    name: str
    holds: str
    attempt: Callable[[World, random.Random], str]
    tries: int


SAME = "the next run ends in the undisturbed run's files, byte for byte but for times"
