"""Methods that raise, hang, exit, or reach out of their cell."""

import random
import signal
import subprocess
import time

from .arena import Arena, kill_group, plain
from .world import World

CODE = '''"""A method that does harm."""
import os, signal, time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from bench.losses import nce
from bench.method import Batch, Classes, Loss
from bench.models.towers import FixedWords


class Harmful(FixedWords):
    """A method that does harm in its third step."""

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
    "os-exit": "os._exit(0)",
    "killed": "os.kill(os.getpid(), signal.SIGKILL)",
    "hangs": "time.sleep(3600)",
    "memory": "np.ones((2**40,))",
}
LEAKING = {
    "random": "torch.manual_seed(5); np.random.seed(5); __import__('random').seed(5)",
    "threads": "torch.set_num_threads(2)",
    "dtype": "torch.set_default_dtype(torch.float64); loss = loss.float()",
    "gradients": "loss.requires_grad and torch.set_grad_enabled(False)",
    "patched": "nn.functional.normalize = lambda x, *a, **k: x",
}


def add_method(arena: Arena, name: str, harm: str) -> None:
    """Write the method; the first letter of its name decides whether it trains first or last."""
    arena.path("methods", f"{name}.py").write_text(CODE.replace("HARM", harm))


def others_hold(world: World, arena: Arena) -> None:
    """Assert that the other methods' runs are the undisturbed ones, and heal."""
    found = arena.results()
    for name, content in world.expected.items():
        if name.startswith("runs/") and name.count("/") == 3:
            assert found.get(name) == content, f"{name} is not what it should be"
    arena.path("methods", "a_harmful.py").unlink()
    world.heals(arena, "train", "score", "table")


def fail(harm: str, world: World, rng: random.Random) -> str:
    """Train beside a method that fails."""
    arena = world.arena(before="train")
    add_method(arena, "a_harmful", harm)
    world.parameters(arena.root, stall_s=25 if "sleep" in harm else 60)
    ended = arena.stages("train", timeout=240)
    plain(ended)
    assert ended.code == 2 and "a_harmful" in ended.error, ended
    world.parameters(arena.root)
    others_hold(world, arena)
    return "its cells failed with the reason, the others were as usual"


def leak(harm: str, world: World, rng: random.Random) -> str:
    """Train beside a method that changes its process; the next cells' numbers are their own."""
    arena = world.arena(before="train")
    add_method(arena, "a_harmful", harm)
    plain(arena.stages("train", out=subprocess.DEVNULL, timeout=240))
    others_hold(world, arena)
    return "the other cells' numbers were the undisturbed ones"


def interrupt(world: World, rng: random.Random) -> str:
    """Press Ctrl-C while a method hangs."""
    arena = world.arena(before="train")
    add_method(arena, "z_harmful", FAILING["hangs"])
    process = arena.start("train -j 1", out=subprocess.DEVNULL)
    end = time.monotonic() + 200
    while len(list(arena.path("runs").glob("*/*/run.json"))) < 5:
        assert time.monotonic() < end and process.poll() is None, "the others did not finish"
        time.sleep(0.2)
    time.sleep(rng.uniform(0, 3))
    kill_group(process, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "kept" in err, (process.returncode, err[-600:])
    assert "Traceback" not in err, err[-600:]
    arena.path("methods", "z_harmful.py").unlink()
    ended = world.heals(arena, "train", "score", "table")
    assert "0 to train" in ended.out, ended
    return "ended, what was finished was kept"


def intrude(world: World, rng: random.Random) -> str:
    """Train beside a method that writes into another cell's finished folder, or removes it."""
    arena = world.arena(before="train")
    target = f"runs/tiny/{rng.choice(('base_ls', 'devise'))}.transfer.seed0"
    name = rng.choice(("embeddings.safetensors", "run.json", "model.safetensors"))
    harm = rng.choice((
        f"Path('{target}/{name}').write_bytes(b'mine')",
        f"f = open('{target}/{name}', 'r+b'); f.seek(80); f.write(b'mine'); f.close()",
        f"__import__('shutil').rmtree('{target}')",
    ))  # fmt: skip
    add_method(arena, "z_harmful", harm)
    ended = arena.stages("train")
    plain(ended)
    assert ended.code == 2, "the harm was not noticed"
    assert not (wrong := arena.wrong(world.expected)), wrong
    arena.path("methods", "z_harmful.py").unlink()
    world.heals(arena, "train", "score", "table")
    return "noticed at the end of the stage; the cell was trained again by the next run"
