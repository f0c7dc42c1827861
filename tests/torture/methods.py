"""Methods that raise, hang, exit, flood the output, or reach out of their cell."""

import os
import random
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from .arena import Arena, different, kill_group, plain
from .fault import Fault
from .world import World

CODE = '''"""A method that does harm."""
import os, resource, signal, sys, time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from bench.losses import nce
from bench.method import Batch, Classes, Loss
from bench.models.towers import FixedWords


def size() -> int:
    return 4096 * int(Path("/proc/self/statm").read_text().split()[0])


class Harmful(FixedWords):
    """It does harm in its third step."""

    label = "Harmful"
    steps = 0

    def loss(self, batch: Batch, seen: Classes) -> Loss:
        loss = nce(self.embed_video(batch), seen.vectors, batch.y)
        self.steps += 1
        if self.steps == 3:
            HARM
        return loss, {}
'''
FAILING = {
    "raises": "raise RuntimeError('of its own')",
    "nan": "loss = loss * float('nan')",
    "inf": "loss = loss * float('inf')",
    "nan-weights": "next(self.parameters()).data.fill_(float('nan'))",
    "sys-exit": "sys.exit(0)",
    "os-exit": "os._exit(0)",
    "crash": "os.kill(os.getpid(), signal.SIGSEGV)",
    "killed": "os.kill(os.getpid(), signal.SIGKILL)",
    "hangs": "time.sleep(3600)",
    "spins": "exec('while True: pass')",
    "memory": "np.ones((2**40,))",
    "interrupt": "raise KeyboardInterrupt",
}
LEAKING = {
    "random": "torch.manual_seed(5); np.random.seed(5); __import__('random').seed(5)",
    "threads": "torch.set_num_threads(2)",
    "dtype": "torch.set_default_dtype(torch.float64); loss = loss.float()",
    "gradients": "loss.requires_grad and torch.set_grad_enabled(False)",
    "nondeterministic": "torch.use_deterministic_algorithms(False)",
    "denormals": "torch.set_flush_denormal(False)",
    "patched": "nn.functional.normalize = lambda x, *a, **k: x",
    "environment": "os.environ['OMP_NUM_THREADS'] = '2'; os.chdir('/')",
    "limit": "resource.setrlimit(resource.RLIMIT_AS, (2**24 + size(), -1))",
    "floods": "[print('x' * 999) for _ in range(100_000)]",
}


def harmful(arena: Arena, harm: str) -> None:
    """Drop the method in; by its name it is the first to train."""
    arena.path("methods", "a_harmful.py").write_text(CODE.replace("HARM", harm))


def others_hold(world: World, arena: Arena) -> None:
    """Assert that the other methods' runs are the undisturbed ones; mend, and that all is."""
    found = arena.results()
    for name, content in world.expected.items():
        if name.startswith("runs/") and name.count("/") == 3:
            assert found.get(name) == content, f"{name} is not what it should be"
    arena.path("methods", "a_harmful.py").unlink()
    ended = arena.stages("train", "score", "table")
    assert ended.code == 0, ended.err[-600:]
    assert not (left := different(arena.results(), world.expected)), left


def fails(harm: str, world: World, rng: random.Random) -> str:
    """The harmful cells fail with a reason, the others are as ever."""
    arena = world.arena(before="train")
    harmful(arena, FAILING[harm])
    limit = {"stall_s": 25 if harm in ("hangs", "spins") else 60}
    world.parameters(arena.root, **limit)
    ended = arena.stages("train", timeout=240)
    plain(ended)
    assert ended.code == 2 and "a_harmful" in ended.error, ended
    world.parameters(arena.root)
    others_hold(world, arena)
    world.drop(arena)
    return "its cells failed with the reason, the others were as ever"


def leaks(harm: str, world: World, rng: random.Random) -> str:
    """Whatever a method leaves behind in its process, the next cells' numbers are their own."""
    arena = world.arena(before="train")
    harmful(arena, LEAKING[harm])
    plain(arena.stages("train", out=-3, timeout=240))
    others_hold(world, arena)
    world.drop(arena)
    return "the other cells' numbers were the undisturbed ones"


def interrupted(world: World, rng: random.Random) -> str:
    """Ctrl-C during a hang ends at once; what was finished is kept."""
    arena = world.arena(before="train")
    arena.path("methods", "z_harmful.py").write_text(CODE.replace("HARM", FAILING["hangs"]))
    process = arena.start("train -j 1", out=-3)
    end = time.monotonic() + 200
    while len(list(arena.path("runs").glob("*/*/run.json"))) < 5:
        assert time.monotonic() < end and process.poll() is None, "the others did not finish"
        time.sleep(0.2)
    time.sleep(rng.uniform(0, 3))
    kill_group(process, signal.SIGINT)
    began = time.monotonic()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "kept" in err, (process.returncode, err[-600:])
    assert "Traceback" not in err, err[-600:]
    arena.path("methods", "z_harmful.py").unlink()
    ended = arena.stages("train", "score", "table")
    assert ended.code == 0 and "0 to train" in ended.out, ended
    assert not (left := different(arena.results(), world.expected)), left
    world.drop(arena)
    assert time.monotonic() - began < 200
    return "ended, what was finished was kept"


def intruder(world: World, rng: random.Random) -> str:
    """A method that writes into another cell's finished folder, or removes it."""
    arena = world.arena(before="train")
    target = f"runs/tiny/{rng.choice(('base_ls', 'devise'))}.transfer.seed0"
    name = rng.choice(("embeddings.safetensors", "run.json", "model.safetensors"))
    harm = rng.choice((
        f"Path('{target}/{name}').write_bytes(b'mine')",
        f"f = open('{target}/{name}', 'r+b'); f.seek(80); f.write(b'mine'); f.close()",
        f"__import__('shutil').rmtree('{target}')",
    ))  # fmt: skip
    path = arena.path("methods", "z_intruder.py")
    path.write_text(CODE.replace("HARM", harm))
    ended = arena.stages("train")
    plain(ended)
    assert ended.code == 2, "the harm was not noticed"
    assert not (wrong := arena.wrong(world.expected)), wrong
    path.unlink()
    ended = arena.stages("train", "score", "table")
    assert ended.code == 0, ended.err[-600:]
    assert not (left := different(arena.results(), world.expected)), left
    world.drop(arena)
    return "noticed at the end of the stage; the cell was trained again by the next run"


def worker_killed(world: World, rng: random.Random) -> str:
    """kill -9 of a worker under -j 2, as the kernel does to whom it takes memory from."""
    arena = world.arena(before="train")
    process = arena.start("train -j 2", out=-3)
    time.sleep(rng.uniform(0.4, 0.9) * world.seconds["train"])
    path = f"/proc/{process.pid}/task/{process.pid}/children"
    try:
        with open(path) as handle:
            children = [int(pid) for pid in handle.read().split()]
    except OSError:
        children = []
    workers = [pid for pid in children if _is_worker(pid)]
    hit = False
    for pid in rng.sample(workers, min(1, len(workers))):
        try:
            os.kill(pid, signal.SIGKILL)
            hit = True
        except ProcessLookupError:
            pass
    _, err = process.communicate(timeout=240)
    assert process.returncode in (0, 2) and "Traceback" not in err, err[-600:]
    ended = arena.stages("train", "score", "table")
    assert ended.code == 0, ended.err[-600:]
    assert not (left := different(arena.results(), world.expected)), left
    world.drop(arena)
    if not hit:
        return "ended before the kill"
    return "its cell failed, the next run healed" if process.returncode else "it was idle"


def _is_worker(pid: int) -> bool:
    """Tell a worker from Python's own resource tracker, which complains when it is killed."""
    try:
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _attempt(function: Callable[..., str], harm: str) -> Callable[[World, random.Random], str]:
    return partial(function, harm)


FAILS = "its cells fail with the reason, the other cells are trained as ever"
OWN = "every other cell's embeddings and weights are the undisturbed run's, to the last bit"
FAULTS = [
    *(Fault(f"method-{name}", FAILS, _attempt(fails, name), 3) for name in FAILING),
    *(Fault(f"method-{name}", OWN, _attempt(leaks, name), 3) for name in LEAKING),
    Fault("method-hangs-ctrl-c", "Ctrl-C ends it; what was finished is kept", interrupted, 12),
    Fault("method-intrudes", "noticed, no wrong record, healed by the next run", intruder, 6),
    Fault("worker-killed", "its cell fails or is done; the next run heals", worker_killed, 6),
]
