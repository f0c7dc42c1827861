"""kill -9 of every stage and of `dvc repro`, and two trainings at once."""

import random
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

from .arena import SOURCE, STAGES, Arena, NotPossible, kill_group
from .world import World

TRIES = {
    "data": 25, "words": 20, "splits": 20, "inputs": 35, "audit": 15, "train": 60,
    "score": 30, "table": 30,
}  # fmt: skip
BENCH = """#!{python}
from bench.cli.main import main

if __name__ == "__main__":  # a worker that is spawned imports this file
    main()
"""


def kill(stage: str, world: World, rng: random.Random) -> str:
    """Kill a stage once, or twice in a row; then run it and all that follow."""
    arena = world.arena(before=stage)
    hits = 0
    for _ in range(rng.choice((1, 1, 2))):
        before = arena.results()
        hits += _killed(world, arena, stage, rng)
        _kept(before, arena.results())
        assert not (wrong := arena.wrong(world.expected)), wrong
    world.heals(arena, *STAGES[STAGES.index(stage) :])
    return "healed" if hits else "ended before the kill"


def _killed(world: World, arena: Arena, stage: str, rng: random.Random) -> bool:
    """Start a stage and kill it at a random moment or file operation; False if it had ended."""
    command = "train -j 2" if stage == "train" else f"stage {stage}"
    if rng.random() < 0.5:
        counts = world.operations[stage]
        who = rng.choice(sorted(counts))
        nth = rng.randint(1, max(1, counts[who] // (2 if who == "worker" else 1)))
        process = arena.start(command, TORTURE_KILL=f"{who}:{nth}")
        process.communicate(timeout=300)
        return bool(process.returncode == -9)
    process = arena.start(command)
    time.sleep(rng.uniform(0.2, 1.0) * world.seconds[stage])
    running = process.poll() is None
    if stage == "train" and rng.random() < 0.5:
        process.kill()  # its workers must end by themselves
        process.communicate()
    else:
        kill_group(process)
    return running


def _kept(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Assert that no finished cell and no record has gone or changed."""
    for name, content in before.items():
        cell = name.startswith("runs/") and name.count("/") == 3 and "/." not in name
        finished = cell or "/records/" in name
        assert not finished or after.get(name) == content, f"{name} was finished, and is lost"


def train_twice(world: World, rng: random.Random) -> str:
    """Start `bench stage train` twice, the second one a moment later."""
    arena = world.arena(before="train")
    processes = []
    for _ in range(2):
        processes.append(arena.start("stage train"))
        time.sleep(rng.uniform(0, 3))
    ends = [process.communicate(timeout=500) for process in processes]
    assert [p.returncode for p in processes] == [0, 0], ends
    assert sum("5 to train" in out for out, _ in ends) == 1, "both trained"
    world.heals(arena, "score", "table")
    return "the second waited and had nothing to do"


def kill_repro(world: World, rng: random.Random) -> str:
    """Kill `dvc repro` and all that it started; run it again until it succeeds."""
    if subprocess.run([sys.executable, "-c", "import dvc"], capture_output=True).returncode:
        raise NotPossible("DVC is not installed")
    arena = world.arena(before=STAGES[0])
    local = shutil.ignore_patterns("tmp", "cache")
    shutil.copytree(SOURCE / ".dvc", arena.path(".dvc"), ignore=local)
    subprocess.run(["git", "init", "-q"], cwd=arena.root, check=True)
    tool = arena.path("bin", "bench")  # the command of this copy, whatever is installed
    tool.parent.mkdir()
    tool.write_text(BENCH.format(python=sys.executable))
    tool.chmod(0o755)
    process = _repro(arena)
    time.sleep(rng.uniform(2, 1.2 * sum(world.seconds.values()) + 5))
    kill_group(process)
    removed = set()
    for count in range(1, 7):
        process = _repro(arena)
        out, _ = process.communicate(timeout=500)
        if process.returncode == 0:
            world.healed(arena)
            told = f", after removing {' and '.join(sorted(removed))}" if removed else ""
            return f"healed by run {count}{told}"
        assert "Traceback" not in out, out[-800:]
        if "rwlock" in out:  # DVC says to remove it if no such process is left
            removed.add("DVC's rwlock as it says")
            arena.path(".dvc", "tmp", "rwlock").unlink(missing_ok=True)
        elif "dvc.lock" in out:  # which DVC writes in place: see docs/reliability.md
            removed.add("a dvc.lock that was half written")
            arena.path("dvc.lock").unlink()
        time.sleep(1)
    raise AssertionError(out[-800:])


def _repro(arena: Arena) -> Any:
    variables = arena.environment()
    variables["PATH"] = f"{arena.path('bin')}:{variables['PATH']}"
    return subprocess.Popen(
        [sys.executable, "-m", "dvc", "repro"], cwd=arena.root, env=variables,
        start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
