"""What a fault is, and the list of all faults in the order of docs/reliability.md."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from .damage import TARGETS, damage, damage_state
from .disk import fill, limit_file_size
from .kills import TRIES, kill, kill_repro, train_twice
from .methods import FAILING, LEAKING, fail, interrupt, intrude, leak
from .world import World


@dataclass(frozen=True)
class Fault:
    """One kind of fault.

    ``attempt`` makes it once, in an arena of its own, asserts what ``holds`` and returns the
    outcome in a few words. ``tries`` is how often the full programme makes it.
    """

    name: str
    holds: str
    attempt: Callable[[World, random.Random], str]
    tries: int


SAME = "the next run ends in the undisturbed run's files, byte for byte but for times"
KILLED = f"no finished cell or record is lost; {SAME}"
FULL = f"one line on stderr, exit 2, no half-written file; {SAME}"
DAMAGED = (
    "the reader stops with one line that says what to do, or makes the file again; no record or "
    "table is made from it; the next runs end in the undisturbed run's files"
)
FAILED = "its cells fail with the reason; all other cells are trained as usual"
OWN = "every other cell's embeddings and weights are those of the undisturbed run, to the last bit"

FAULTS = [
    *(Fault(f"kill-{stage}", KILLED, partial(kill, stage), n) for stage, n in TRIES.items()),
    Fault("kill-repro", SAME, kill_repro, 8),
    Fault("two-trainings", f"each cell is trained once; {SAME}", train_twice, 5),
    Fault("disk-full", FULL, fill, 20),
    Fault("disk-limit", FULL, limit_file_size, 12),
    *(
        Fault(f"damage-{name}", DAMAGED, partial(damage, target), target.tries)
        for name, target in TARGETS.items()
    ),
    Fault("damage-state", DAMAGED, damage_state, 10),
    *(Fault(f"method-{name}", FAILED, partial(fail, code), 3) for name, code in FAILING.items()),
    *(Fault(f"method-{name}", OWN, partial(leak, code), 3) for name, code in LEAKING.items()),
    Fault("method-hangs-ctrl-c", "Ctrl-C ends it; finished cells are kept", interrupt, 12),
    Fault("method-intrudes", "noticed; no wrong record; the next run heals", intrude, 6),
]
