"""A full disk (a small tmpfs, or a limit of the file size) and folders that cannot be written."""

import random
import resource
import subprocess
from collections.abc import Callable
from functools import partial

from .arena import STAGES, Arena, different, mounted, plain
from .fault import SAME, Fault, NotPossible
from .world import World

# Where each stage writes.
PLACES = {
    "data": "data", "words": "data", "splits": "splits", "inputs": "data", "train": "runs",
    "score": "results", "table": "results",
}  # fmt: skip


def _healed(world: World, arena: Arena, stage: str) -> None:
    ended = arena.stages(*STAGES[STAGES.index(stage) :])
    assert ended.code == 0, ended.err[-600:]
    assert not (left := different(arena.results(), world.expected)), left


def full(world: World, rng: random.Random) -> str:
    """Run a stage on a tmpfs that is too small, make it larger, and go on."""
    stage = rng.choice(list(PLACES))
    place = ".bench" if stage in ("train", "inputs") and rng.random() < 0.5 else PLACES[stage]
    arena = world.arena(before="" if stage == "data" else stage, finished=False)
    at = arena.path(place)
    at.mkdir(exist_ok=True)
    kept = arena.path("kept")
    at.rename(kept)
    used = sum(f.stat().st_size // 4096 + 1 for f in kept.rglob("*"))
    size = 4 * (used + rng.randint(1, 12))
    with mounted(["-t", "tmpfs", "-o", f"size={size}k", "tmpfs"], at) as possible:
        if not possible:
            raise NotPossible("mounting a tmpfs is not allowed here; see disk-limit")
        subprocess.run(["cp", "-a", f"{kept}/.", str(at)], check=True)
        ended = arena.stages(stage)
        plain(ended)
        assert not (wrong := arena.wrong(world.expected)), wrong
        subprocess.run(["mount", "-o", "remount,size=1g", str(at)], check=True)
        _healed(world, arena, stage)
    world.drop(arena)
    return "stopped in one line, healed with space" if ended.code else "there was room enough"


def limited(world: World, rng: random.Random) -> str:
    """Run a stage with a limit of the file size, as a quota would set it; then without."""
    stage = rng.choice(list(PLACES))
    arena = world.arena(before="" if stage == "data" else stage, finished=False)
    most = rng.choice((512, 2048, 8192, 20000))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    ended = arena.stages(stage, preexec_fn=limit)
    plain(ended)
    assert not (wrong := arena.wrong(world.expected)), wrong
    _healed(world, arena, stage)
    world.drop(arena)
    return "stopped in one line, healed without it" if ended.code else "no file was so large"


def read_only(how: str, world: World, rng: random.Random) -> str:
    """Run a stage whose folder is mounted read-only, or immutable (chattr +i)."""
    stage = rng.choice(("train", "score", "table", "splits"))
    arena = world.arena(before=stage)
    at = arena.path(PLACES[stage])
    at.mkdir(exist_ok=True)
    if how == "mount":
        with mounted(["--bind", str(at)], at) as possible:
            locked = ["mount", "-o", "remount,ro,bind", str(at)]
            if not possible or subprocess.run(locked, capture_output=True).returncode:
                raise NotPossible("bind mounts are not allowed here")
            ended = arena.stages(stage)
    else:
        if subprocess.run(["chattr", "-R", "+i", str(at)], capture_output=True).returncode:
            raise NotPossible("chattr does not work here")
        try:
            ended = arena.stages(stage)
        finally:
            subprocess.run(["chattr", "-R", "-i", str(at)], check=True)
    plain(ended)
    assert ended.code == 2, "it should have said that it cannot write"
    _healed(world, arena, stage)
    world.drop(arena)
    return "stopped in one line, healed when it could write"


def _attempt(how: str) -> Callable[[World, random.Random], str]:
    return partial(read_only, how)


FULL = f"one line on stderr, exit 2, nothing half-written; {SAME}"
FAULTS = [
    Fault("disk-full", FULL, full, 20),
    Fault("disk-limit", FULL, limited, 12),
    Fault("read-only-mount", FULL, _attempt("mount"), 6),
    Fault("read-only-immutable", FULL, _attempt("chattr"), 4),
]
