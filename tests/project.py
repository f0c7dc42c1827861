"""The project under test: where it is, a copy of it, its command line within this process."""

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

from bench.data.formats.index_file import IndexFile

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
    from bench.cli.main import main
    from bench.experiments import fingerprint as sources

    if fresh:
        sources.forget_code()  # a process runs one command
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


def keep_methods(folder: Path, *names: str) -> None:
    """Leave a copy of the project these methods alone."""
    for path in (folder / "methods").glob("*.py"):
        if path.stem not in (*names, "__init__"):
            path.unlink()


def write_tiny(folder: Path) -> None:
    """Write the features and class vectors of ``tiny_parameters``."""
    import numpy as np

    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(6), 10)
    features = rng.normal(size=(6, 12))[labels] + 0.3 * rng.normal(size=(60, 12))
    names = np.array(TINY_CLASSES)
    np.savez(folder / "tiny.npz", features=features.astype(np.float32), labels=names[labels])
    np.savez(folder / "words.npz", names=names, vectors=rng.normal(size=(6, 5)))


def tiny_project(root: Path, steps: int, *methods: str) -> None:
    """Write a copy of the project with tiny features and some of the methods, as a git commit."""
    from ruamel.yaml import YAML

    copy_project(root)
    keep_methods(root, *methods)
    write_tiny(root)
    above = {"methods": {name: {"lam": None} for name in methods}, "train": {"steps": None}}
    YAML(typ="safe").dump(tiny_parameters(steps) | above, root / "params.yaml")
    for name in (".dvcignore", ".gitignore"):
        shutil.copy(ROOT / name, root / name)
    local = shutil.ignore_patterns("tmp", "cache", "*.local")
    shutil.copytree(ROOT / ".dvc", root / ".dvc", ignore=local)
    run_tool(root, "git", "init", "-q")
    commit_all(root, "code")


def run_tool(folder: Path, *words: str) -> str:
    """Run a command in ``folder`` as a user with this environment would; return its output."""
    who = {f"GIT_{a}_{b}": "a@b" for a in ("AUTHOR", "COMMITTER") for b in ("NAME", "EMAIL")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | who | {"PATH": path, "PYTHONPATH": str(folder), "BENCH_JOBS": "1"}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run_dvc(folder: Path, *words: str) -> str:
    """Run ``dvc WORDS`` in ``folder``; return its output."""
    return run_tool(folder, sys.executable, "-m", "dvc", *words)


def commit_all(folder: Path, message: str) -> str:
    """Commit everything in ``folder``; return the commit."""
    run_tool(folder, "git", "add", "-A")
    run_tool(folder, "git", "commit", "-q", "-m", message)
    return run_tool(folder, "git", "rev-parse", "HEAD").strip()


def write_index_file(folder: Path, name: str, **values: Any) -> None:
    """Write a data set's index without its table of videos."""
    facts: dict[str, Any] = {"name": name, "kind": "videos", "root": name, "keys": {}, "source": ""}
    facts |= {"videos": 0, "classes": [], "digest": "d"}
    IndexFile(**facts | values).write(folder / f"{name}.json")


def split_json(content: Mapping[str, Any]) -> str:
    """Return a split file with these values; the rest of it is made up."""
    rest = {"dataset": "d", "protocol": "full", "definition": "", "digest": "x", "splits": []}
    return json.dumps(rest | dict(content))


def overlap_json(content: Mapping[str, Any]) -> str:
    """Return an overlap file with these values; the rest of it is made up."""
    rest = {"train": "train", "test": ["test"], "tau": 0.05, "digest": "x", "classes": []}
    return json.dumps(rest | dict(content))
