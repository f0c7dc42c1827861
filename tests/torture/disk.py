"""A full disk (a small tmpfs) and a limit on the size of files."""

import random
import resource
import subprocess

from .arena import STAGES, NotPossible, mounted, plain
from .world import World

# Where each stage writes.
PLACES = {
    "data": "data", "words": "data", "splits": "splits", "inputs": "data", "train": "runs",
    "score": "results", "table": "results",
}  # fmt: skip


def fill(world: World, rng: random.Random) -> str:
    """Run a stage on a tmpfs that is too small, make it larger, and go on."""
    stage = rng.choice(list(PLACES))
    place = ".bench" if stage in ("train", "inputs") and rng.random() < 0.5 else PLACES[stage]
    arena = world.arena(before=stage)
    at, kept = arena.path(place), arena.path("kept")
    at.mkdir(exist_ok=True)
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
        world.heals(arena, *STAGES[STAGES.index(stage) :])
    return "stopped in one line, healed with space" if ended.code else "there was room enough"


def limit_file_size(world: World, rng: random.Random) -> str:
    """Run a stage under a limit of the file size, as a quota would set it; then without."""
    stage = rng.choice(list(PLACES))
    arena = world.arena(before=stage)
    most = rng.choice((512, 2048, 8192, 20000))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    ended = arena.stages(stage, preexec_fn=limit)
    plain(ended)
    assert not (wrong := arena.wrong(world.expected)), wrong
    world.heals(arena, *STAGES[STAGES.index(stage) :])
    return "stopped in one line, healed without it" if ended.code else "no file was so large"
