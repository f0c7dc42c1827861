"""A clock that is wrong or jumps, files of the future and of the past, another time zone."""

import os
import random
import shutil

from .arena import different
from .fault import SAME, Fault
from .world import World

YEARS = 10 * 365 * 86400


def wrong_clock(world: World, rng: random.Random) -> str:
    """Train and score by a clock that is ten years off, or another one at each look."""
    arena = world.arena()
    shutil.rmtree(arena.path("runs"))
    clock = rng.choice((str(YEARS), str(-YEARS), "jumping"))
    zone = rng.choice(("Pacific/Kiritimati", "America/St_Johns", "UTC"))
    ended = arena.stages(TORTURE_CLOCK=clock, TZ=zone)
    assert ended.code == 0, ended.err[-600:]
    assert not (left := different(arena.results(), world.expected)), left
    world.drop(arena)
    return "the same files"


def wrong_times(world: World, rng: random.Random) -> str:
    """Set every file's times to the future or the past: nothing is trained again."""
    arena = world.arena()
    for path in arena.root.rglob("*"):
        seconds = max(0, int(path.stat().st_mtime) + rng.choice((-YEARS, YEARS, -3600, 3600)))
        os.utime(path, (seconds, seconds))
    ended = arena.stages()
    assert ended.code == 0 and "0 to train" in ended.out, ended
    assert not (left := different(arena.results(), world.expected)), left
    world.drop(arena)
    return "nothing was trained again, the same files"


FAULTS = [
    Fault("clock", SAME, wrong_clock, 5),
    Fault("file-times", f"nothing is trained again; {SAME}", wrong_times, 5),
]
