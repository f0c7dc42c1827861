"""Files that are truncated, emptied, zeroed in part or have one bit flipped."""

import random
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from .arena import Arena, Ended, different, plain
from .fault import Fault
from .world import World

HOLDS = (
    "whoever reads it stops with one line that says what to do, or makes it anew; no record or "
    "table is made of it; the next runs end in the undisturbed run's files"
)


WAYS = ("truncated", "emptied", "zeroed in part", "one bit flipped", "one bit flipped")


def spoil(path: Path, rng: random.Random) -> str:
    """Damage a file in one of four ways; return which."""
    content = bytearray(path.read_bytes())
    way = rng.choice(
        ("truncated", "emptied", "zeroed in part", "one bit flipped", "one bit flipped")
    )
    place = rng.randrange(len(content))
    if way == "truncated":
        del content[place:]
    elif way == "emptied":
        content.clear()
    elif way == "zeroed in part":
        content[place : place + 64] = bytes(len(content[place : place + 64]))
    else:
        content[place] ^= 1 << rng.randrange(8)
    path.write_bytes(content)
    return way


def heal(arena: Arena, ended: Ended) -> None:
    """Do what an error says: delete the file or the folder that it names, if it says so."""
    path = Path(ended.error.partition(": ")[0])
    if "delete" in ended.error and path.is_relative_to(arena.root) and path.exists():
        shutil.rmtree(path.parent) if "its folder" in ended.error else path.unlink()


def damage(
    pattern: str,
    readers: Sequence[str],
    fresh: bool,
    world: World,
    rng: random.Random,
) -> str:
    """Damage one file that matches, let its ``readers`` run, then all stages until it is healed.

    ``fresh``: nothing is trained yet, so that the training has to read the file.
    """
    arena = world.arena()
    if fresh:
        shutil.rmtree(arena.path("runs"))
    path = rng.choice(sorted(arena.root.glob(pattern)))
    spoil(path, rng)
    noticed = False
    for command in readers:
        ended = arena.bench(command)
        plain(ended)
        noticed |= ended.code == 2
        assert not (wrong := arena.wrong(world.expected)), f"{path.name}: {wrong} are wrong"
    told = False
    for _ in range(4):
        ended = arena.stages()
        plain(ended)
        if ended.code == 0:
            break
        told = True
        heal(arena, ended)
        if "bench train" in ended.error:
            plain(arena.bench("train"))
    assert ended.code == 0, ended.err[-600:]
    assert not (left := different(arena.results(), world.expected)), (str(path), left)
    world.drop(arena)
    if told:
        return "stopped with what to do; healed by that"
    return (
        "stopped with what to do; healed by the next run" if noticed else "made anew, or harmless"
    )


def _attempt(*how: object) -> Callable[[World, random.Random], str]:
    return partial(damage, *how)  # type: ignore[arg-type]


TABLES = ("table", "stage score", "table -w sota -f json")
TARGETS: dict[str, tuple[str, Sequence[str], bool, int]] = {
    "record": ("results/records/tiny/*.json", ("table", "status"), False, 20),
    "embedding": ("runs/tiny/*/embeddings.safetensors", TABLES, False, 20),
    "model": ("runs/tiny/*/model.safetensors", TABLES, False, 5),
    "run": ("runs/tiny/*/run.json", TABLES, False, 10),
    "split": ("splits/tiny/*.json", ("table -w splits", "stage score", "train"), False, 10),
    "index": ("data/tiny/index/t*", ("stage splits", "stage score", "train"), True, 10),
    "words": ("data/tiny/words/*", ("stage splits", "train"), True, 10),
    "inputs": ("data/tiny/inputs/*/*", ("train",), True, 15),
    "inputs-status": ("results/inputs/tiny.json", ("table", "train"), False, 5),
    "clip-store": (".bench/tiny/frames/*/frames-*", ("train",), True, 15),
    "backbone": (".bench/tiny/frozen/*", ("stage inputs",), False, 4),
    "tables": ("results/tables/tiny/*", ("stage table",), False, 4),
}


def damaged_state(world: World, rng: random.Random) -> str:
    """Kill a training after its second state, damage that, and let the training go on."""
    arena = world.arena(before="train")
    # Of a worker: two operations open, rename and clean each state; the third cell is `devise`.
    process = arena.start("train base_ls -j 1", TORTURE_KILL=f"worker:{rng.randint(8, 16)}")
    process.communicate(timeout=300)
    states = sorted(arena.path(".bench", "tiny", "state").glob("*.pt"))
    if states:
        spoil(rng.choice(states), rng)
    ended = arena.stages("train", "score", "table")
    assert ended.code == 0, ended.err[-600:]
    assert not (left := different(arena.results(), world.expected)), left
    world.drop(arena)
    return "trained from its start again" if states else "killed before there was a state"


def damaged_manifest(world: World, rng: random.Random) -> str:
    """Damage the manifest of `bench data index`; what is read of it is the truth, or nothing."""
    arena = world.arena(finished=False)
    root = world.outside / "tested"
    made = arena.bench(f"data index tested --root {root} --out manifest.parquet")
    assert made.code == 0, made.err[-600:]
    path = arena.path("manifest.parquet")
    whole = path.read_bytes()
    spoil(path, rng)
    ended = arena.bench(f"data index tested --root {root} --out manifest.parquet")
    plain(ended)
    if ended.code:
        path.unlink()
        again = arena.bench(f"data index tested --root {root} --out manifest.parquet")
        assert again.code == 0, again.err[-600:]
    assert path.read_bytes() == whole, "the manifest is not what it was"
    world.drop(arena)
    return "stopped with what to do; healed by that" if ended.code else "made anew, or harmless"


FAULTS = [
    *(
        Fault(f"damage-{name}", HOLDS, _attempt(pattern, readers, fresh), tries)
        for name, (pattern, readers, fresh, tries) in TARGETS.items()
    ),
    Fault("damage-state", HOLDS, damaged_state, 10),
    Fault("damage-manifest", HOLDS, damaged_manifest, 10),
]
