"""The machine that this process runs on: its processor, cores and GPUs, and the git commit."""

import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

_GENERATION = (("family", "cpu family"), ("model", "model"))


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def visible_gpus() -> list[str] | None:
    """Return the GPUs in CUDA_VISIBLE_DEVICES, None if it is not set."""
    said = os.environ.get("CUDA_VISIBLE_DEVICES")
    if said is None:
        return None
    return [one for one in said.replace(" ", "").split(",") if one not in ("", "-1")]


def gpu_count() -> int:
    """Return how many NVIDIA GPUs this process may use, without loading torch."""
    devices, visible = len(list(Path("/dev").glob("nvidia[0-9]*"))), visible_gpus()
    return devices if visible is None or not devices else len(visible)


def side_by_side(device: str, jobs: int = 0) -> tuple[int, int]:
    """Return how many cells train in parallel and how many GPUs they use.

    ``jobs`` cells; 0 means BENCH_JOBS, else one per GPU, else one per core. ``device`` is
    train.device.
    """
    gpus = 0 if device == "cpu" else gpu_count()
    return jobs or int(os.environ.get("BENCH_JOBS") or 0) or gpus or cores(), gpus


def this_processor() -> str:
    """Return the type of this machine's CPU, "" if unknown."""
    facts = Path("/proc/cpuinfo").read_text(errors="replace") if sys.platform == "linux" else ""
    return processor(facts) or platform.processor()


def processor(facts: str) -> str:
    """Return the type of CPU given in the text of /proc/cpuinfo, "" if there is none.

    Includes family and model: clouds call several generations by one name ("AMD EPYC"), and these
    add numbers in different orders.
    """
    said = {}
    for line in reversed(facts.partition("\n\n")[0].splitlines()):  # of the first core
        name, _, value = line.partition(":")
        said[name.strip()] = value.strip()
    numbers = [f"{one} {said[key]}" for one, key in _GENERATION if said.get(key)]
    name = said.get("model name", "")
    return f"{name} ({', '.join(numbers)})" if name and numbers else name


def git_state(root: Path) -> dict[str, Any]:
    """Return the project's commit ("" outside git), and whether code or parameters differ."""

    def ask(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else ""

    dirty = bool(ask("status", "--porcelain", "--", "bench", "methods", "params.yaml"))
    return {"git_commit": ask("rev-parse", "HEAD"), "git_dirty": dirty}
