"""kill -9 of every stage: at a random moment, or just before a random file operation."""

import random
import shutil
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from .arena import STAGES, Arena, different, kill_group
from .fault import SAME, Fault
from .world import World

ARGUMENTS = {"train": "train -j 2"}


def killed(world: World, arena: Arena, stage: str, rng: random.Random) -> str:
    """Start a stage and kill it; return how, or "" where it ended before."""
    command = ARGUMENTS.get(stage, f"stage {stage}")
    counts = world.operations[stage]
    who = rng.choice(sorted(counts))
    if rng.random() < 0.5:
        nth = rng.randint(1, max(1, counts[who] // (2 if who == "worker" else 1)))
        process = arena.start(command, TORTURE_KILL=f"{who}:{nth}")
        process.communicate(timeout=300)
        return f"before file operation {nth} of {who}" if process.returncode == -9 else ""
    process = arena.start(command)
    time.sleep(rng.uniform(0.2, 1.0) * world.seconds[stage])
    running = process.poll() is None
    if stage == "train" and rng.random() < 0.5:
        process.kill()  # its workers must end by themselves
        process.communicate()
        return "parent alone" if running else ""
    kill_group(process)
    return "all at a random moment" if running else ""


def kept(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Assert that no finished cell and no record that was there has gone or changed."""
    for name, content in before.items():
        cell = name.startswith("runs/") and name.count("/") == 3 and "/." not in name
        finished = cell or "/records/" in name
        assert not finished or after.get(name) == content, f"{name} was finished, and is lost"


def kill(stage: str, world: World, rng: random.Random) -> str:
    """Kill a stage once, or twice in a row; then run it and all that follow."""
    arena = world.arena(before="" if stage == "data" else stage, finished=False)
    ways = []
    for _ in range(rng.choice((1, 1, 2))):
        before = arena.results()
        ways.append(killed(world, arena, stage, rng))
        kept(before, arena.results())
        assert not (wrong := arena.wrong(world.expected)), wrong
    ended = arena.stages(*STAGES[STAGES.index(stage) :])
    assert ended.code == 0, ended.err[-600:]
    assert not (left := different(arena.results(), world.expected)), left
    world.drop(arena)
    hits = sum(map(bool, ways))
    return f"{hits} kills, healed" if hits else "ended before the kill"


def kill_report(world: World, rng: random.Random) -> str:
    """Kill the stage that writes the report, then run it: the bytes of an undisturbed one."""
    arena = world.arena()
    first = arena.stages("report")
    assert first.code == 0, first
    expected = _report(arena)
    if rng.random() < 0.5:  # else the old report is there
        shutil.rmtree(arena.path("results", "report"))
    process = arena.start("stage report")
    time.sleep(rng.uniform(0.3, 1.0) * first.seconds)
    running = process.poll() is None
    kill_group(process)
    left = _report(arena)
    assert all(expected[name] == content for name, content in left.items()), "half a report"
    ended = arena.stages("report")
    assert ended.code == 0 and _report(arena) == expected, ended.err[-600:]
    world.drop(arena)
    return "1 kills, healed" if running else "ended before the kill"


def _report(arena: Arena) -> dict[str, bytes]:
    files = arena.path("results", "report").rglob("*")
    return {str(f): f.read_bytes() for f in files if f.is_file() and f.suffix != ".part"}


def _attempt(stage: str) -> Callable[[World, random.Random], str]:
    return partial(kill, stage)


TRIES = {
    "data": 25, "words": 20, "splits": 20, "inputs": 35, "audit": 15, "train": 60,
    "score": 30, "table": 30,
}  # fmt: skip
FAULTS = [
    Fault(f"kill-{stage}", f"no finished cell or record is lost; {SAME}", _attempt(stage), tries)
    for stage, tries in TRIES.items()
]
FAULTS.append(
    Fault(
        "kill-report",
        "no half report; the next run writes the undisturbed run's bytes",
        kill_report,
        10,
    )
)
