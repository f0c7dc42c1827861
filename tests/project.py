"""The project under test: where it is, a copy of it, its command line within this process."""

import io
import shutil
import sys
from collections.abc import Callable
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
TINY_CLASSES = [f"class {letter}" for letter in "abcdef"]


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


Bench = Callable[..., Ended]


def copy_project(folder: Path) -> None:
    """Copy what a clone holds and a run needs."""
    unwanted = shutil.ignore_patterns("__pycache__")
    for name in ("bench", "methods"):
        shutil.copytree(ROOT / name, folder / name, ignore=unwanted)
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, folder / name)


def run_bench(folder: Path, *words: str, fresh: bool = True) -> Ended:
    """Run ``bench WORDS`` in ``folder``, here; not ``fresh``: no code has changed."""
    from bench import sources
    from bench.cli.main import main

    for cached in (sources.parsed, sources.normalised) if fresh else ():
        cached.cache_clear()  # a process runs one command
    out, err = io.StringIO(), io.StringIO()
    before, sys.argv = sys.argv, ["bench", *words]
    try:
        with chdir(folder), redirect_stdout(out), redirect_stderr(err):
            main()
    except SystemExit as ended:
        assert isinstance(ended.code, int)
        return Ended(ended.code, out.getvalue(), err.getvalue())
    finally:
        sys.argv = before
    raise AssertionError("main() always exits")


def tiny_parameters(steps: int) -> dict[str, Any]:
    """Return params.yaml of one profile: tiny features of TINY_CLASSES, two draws."""
    given = {"kind": "features", "file": "tiny.npz", "protocols": ["fifty-fifty"]}
    profile = {
        "title": "tiny features",
        "datasets": {"tiny": given},
        "words": {"kind": "class_vectors", "files": {"tiny": "words.npz"}},
        "fifty_fifty": {"draws": 2},
        "network": {"head": 8},
        "train": {"steps": steps, "batch": 8, "warmup": 4, "log_every": 10},
    }
    above = {"profile": "tiny", "tau": None, "methods": {}, "only": [], "readings": {"rows": []}}
    return above | {"profiles": {"tiny": profile}}
