"""Files that are truncated, emptied, zeroed in part or have one bit flipped."""

import random
import shutil
from pathlib import Path
from typing import NamedTuple

from .arena import Arena, Ended, plain
from .world import World

WAYS = ("truncate", "empty", "zero a part", "flip a bit", "flip a bit")


class Target(NamedTuple):
    """Files to damage, the commands that read them, and how often to try."""

    pattern: str
    readers: tuple[str, ...]
    fresh: bool  # remove runs/ first, so that the training has to read the file
    tries: int


TABLES = ("table", "stage score", "table -w sota -f json")
TARGETS = {
    "record": Target("results/records/tiny/*.json", ("table", "status"), False, 20),
    "embedding": Target("runs/tiny/*/embeddings.safetensors", TABLES, False, 20),
    "run": Target("runs/tiny/*/run.json", TABLES, False, 10),
    "split": Target(
        "splits/tiny/*.json", ("table -w splits", "stage score", "train"), False, 10
    ),
    "index": Target("data/tiny/index/t*", ("stage splits", "stage score", "train"), True, 10),
    "words": Target("data/tiny/words/*", ("stage splits", "train"), True, 10),
    "inputs": Target("data/tiny/inputs/*/*", ("train",), True, 15),
    "clip-store": Target(".bench/tiny/frames/*/frames-*", ("train",), True, 15),
}  # fmt: skip


def spoil(path: Path, rng: random.Random) -> None:
    """Damage a file in one of the ways."""
    content = bytearray(path.read_bytes())
    way, place = rng.choice(WAYS), rng.randrange(len(content))
    if way == "truncate":
        del content[place:]
    elif way == "empty":
        content.clear()
    elif way == "zero a part":
        content[place : place + 64] = bytes(len(content[place : place + 64]))
    else:
        content[place] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def heal(arena: Arena, ended: Ended) -> None:
    """Do what an error says: delete the file or folder that it names, or train."""
    path = Path(ended.error.partition(": ")[0])
    if "delete" in ended.error and path.is_relative_to(arena.root) and path.exists():
        shutil.rmtree(path.parent) if "its folder" in ended.error else path.unlink()
    if "bench train" in ended.error:
        plain(arena.bench("train"))


def damage(target: Target, world: World, rng: random.Random) -> str:
    """Damage one file, run its readers, then all stages until everything is healed."""
    arena = world.arena()
    if target.fresh:
        shutil.rmtree(arena.path("runs"))
    path = rng.choice(sorted(arena.root.glob(target.pattern)))
    spoil(path, rng)
    noticed = told = False
    for command in target.readers:
        ended = arena.bench(command)
        plain(ended)
        noticed |= ended.code == 2
        assert not (wrong := arena.wrong(world.expected)), f"{path.name}: {wrong} are wrong"
    for _ in range(4):
        ended = arena.stages()
        plain(ended)
        if ended.code == 0:
            break
        told = True
        heal(arena, ended)
    assert ended.code == 0, ended.err[-600:]
    world.healed(arena)
    if not told and not noticed:
        return "made again, or harmless"
    return f"stopped with what to do; healed by {'that' if told else 'the next run'}"


def damage_state(world: World, rng: random.Random) -> str:
    """Kill a training after its second saved state, damage the state and train on."""
    arena = world.arena(before="train")
    # A worker opens, renames and cleans each state in two operations.
    process = arena.start("train base_ls -j 1", TORTURE_KILL=f"worker:{rng.randint(8, 16)}")
    process.communicate(timeout=300)
    states = sorted(arena.path(".bench", "tiny", "state").glob("*.pt"))
    if states:
        spoil(rng.choice(states), rng)
    world.heals(arena, "train", "score", "table")
    return "trained from its start again" if states else "killed before there was a state"
