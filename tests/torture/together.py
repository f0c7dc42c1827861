"""Two runs at once, and the child that lives on after `dvc` was killed."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from typing import Any

from .arena import SOURCE, STAGES, Arena, different, kill_group
from .fault import SAME, Fault, NotPossible
from .world import World

COMMAND = """from bench.cli.main import main

if __name__ == "__main__":  # a worker that is spawned imports this file
    main()
"""


def _with_dvc(arena: Arena) -> Arena:
    if subprocess.run([sys.executable, "-c", "import dvc"], capture_output=True).returncode:
        raise NotPossible("DVC is not installed")
    ignored = shutil.ignore_patterns("tmp", "cache")
    shutil.copytree(SOURCE / ".dvc", arena.path(".dvc"), ignore=ignored)
    subprocess.run(["git", "init", "-q"], cwd=arena.root, check=True)
    # The command `bench` of this very copy, whatever is installed.
    tool = arena.path("bin", "bench")
    tool.parent.mkdir()
    tool.write_text(f"#!{sys.executable}\n{COMMAND}")
    tool.chmod(0o755)
    return arena


def _repro(arena: Arena) -> Any:
    variables = arena.environment()
    variables["PATH"] = f"{arena.path('bin')}{os.pathsep}{variables['PATH']}"
    return subprocess.Popen(
        [sys.executable, "-m", "dvc", "repro"], cwd=arena.root, env=variables,
        start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def _until_done(world: World, arena: Arena) -> str:
    """Run `dvc repro` until it succeeds; return how that went.

    Meanwhile what DVC says of its lock is done, and what docs/reliability.md says of its dvc.lock,
    which it does not write whole or not at all.
    """
    told: list[str] = []
    for count in range(1, 7):
        process = _repro(arena)
        out, _ = process.communicate(timeout=500)
        if process.returncode == 0:
            assert not (left := different(arena.results(), world.expected)), left
            removed = f", after removing {' and '.join(sorted(set(told)))}" if told else ""
            return f"healed by run {count}{removed}"
        assert "Traceback" not in out, out[-800:]
        if "rwlock" in out:  # DVC says to remove it where no such process is left
            told.append("DVC's rwlock as it says")
            arena.path(".dvc", "tmp", "rwlock").unlink(missing_ok=True)
        elif "dvc.lock" in out:
            told.append("a dvc.lock that was half written")
            arena.path("dvc.lock").unlink()
        time.sleep(1)
    raise AssertionError(out[-800:])


def two_trainings(world: World, rng: random.Random) -> str:
    """Start `bench stage train` twice, the second one a moment later."""
    arena = world.arena(before="train")
    processes = []
    for _ in range(2):
        processes.append(arena.start("stage train"))
        time.sleep(rng.uniform(0, 3))
    ends = [process.communicate(timeout=500) for process in processes]
    assert [p.returncode for p in processes] == [0, 0], ends
    assert sum("5 to train" in out for out, _ in ends) == 1, "both trained"
    ended = arena.stages("score", "table")
    assert ended.code == 0, ended.err[-600:]
    assert not (left := different(arena.results(), world.expected)), left
    world.drop(arena)
    return "the second waited and had nothing to do"


def two_of_a_stage(world: World, rng: random.Random) -> str:
    """Start the same stage twice at once."""
    stage = rng.choice([name for name in STAGES if name != "train"])
    arena = world.arena(before="" if stage == "data" else stage, finished=False)
    processes = [arena.start(f"stage {stage}") for _ in range(2)]
    ends = [process.communicate(timeout=300) for process in processes]
    assert [p.returncode for p in processes] == [0, 0], ends
    ended = arena.stages(*STAGES[STAGES.index(stage) + 1 :] or ("table",))
    assert ended.code == 0, ended.err[-600:]
    assert not (left := different(arena.results(), world.expected)), left
    world.drop(arena)
    return "one after the other, both succeeded"


def two_repros(world: World, rng: random.Random) -> str:
    """Start `dvc repro` twice; one may say that the other holds the lock."""
    arena = _with_dvc(world.arena(finished=False))
    first = _repro(arena)
    time.sleep(rng.uniform(0, 15))
    second = _repro(arena)
    outs = [process.communicate(timeout=900)[0] for process in (first, second)]
    codes = [first.returncode, second.returncode]
    assert 0 in codes or "lock" in "".join(outs).lower() or "busy" in "".join(outs), outs
    assert not (wrong := arena.wrong(world.expected)), wrong
    healed = _until_done(world, arena)
    world.drop(arena)
    refused = "one was refused" if codes != [0, 0] else "both succeeded"
    return f"{refused}; {healed}"


def orphan(world: World, rng: random.Random) -> str:
    """kill -9 of `dvc repro` alone: its stage lives on while the next `dvc repro` begins."""
    arena = _with_dvc(world.arena(finished=False))
    process = _repro(arena)
    time.sleep(rng.uniform(2, 1.2 * sum(world.seconds.values()) + 5))
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    healed = _until_done(world, arena)
    kill_group(process)
    world.drop(arena)
    return healed


def killed_repro(world: World, rng: random.Random) -> str:
    """kill -9 of `dvc repro` and all that it started."""
    arena = _with_dvc(world.arena(finished=False))
    process = _repro(arena)
    time.sleep(rng.uniform(2, 1.2 * sum(world.seconds.values()) + 5))
    kill_group(process)
    healed = _until_done(world, arena)
    world.drop(arena)
    return f"1 kills, {healed}"


FAULTS = [
    Fault("two-trainings", f"each cell is trained once; {SAME}", two_trainings, 5),
    Fault("two-of-a-stage", SAME, two_of_a_stage, 8),
    Fault("two-repros", f"one waits or is refused; {SAME}", two_repros, 4),
    Fault("orphan", SAME, orphan, 6),
    Fault("kill-repro", SAME, killed_repro, 8),
]
