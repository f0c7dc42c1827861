"""What every test may use: one thread, the shared data, a copy of the project, its command line."""

import io
import os
import shutil
import sys
from collections.abc import Callable
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import pytest

# Before anything imports torch: more threads are slower here, and change the order of sums.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parents[1]


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


Bench = Callable[..., Ended]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Give the folder of real material, or skip."""
    folder = Path(os.environ.get("BENCH_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("no shared data: set BENCH_TEST_DATA to its folder")
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Give a copy of the project's code and parameters, without data or results."""
    copy_project(tmp_path)
    return tmp_path


def copy_project(folder: Path) -> None:
    """Copy what a clone holds and a run needs."""
    unwanted = shutil.ignore_patterns("__pycache__")
    for name in ("bench", "methods"):
        shutil.copytree(ROOT / name, folder / name, ignore=unwanted)
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, folder / name)


@pytest.fixture
def bench(project: Path) -> Bench:
    """Give a function that runs the command line in the copy, within this process."""

    def run(*words: str, cwd: Path = project) -> Ended:
        return run_bench(cwd, *words)

    return run


def run_bench(folder: Path, *words: str) -> Ended:
    """Run ``bench WORDS`` in ``folder``, within this process."""
    from bench import sources
    from bench.cli.main import main

    for cached in (sources.parsed, sources.normalised):  # a process runs one command
        cached.cache_clear()
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


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give an empty folder for videos."""
    folder = tmp_path / "videos"
    folder.mkdir()
    return folder


@pytest.fixture
def put(root: Path) -> Callable[..., Path]:
    """Give a function that writes a video of ``frames`` black frames, whatever its suffix."""

    def write(path: str, frames: int = 3) -> Path:
        import numpy as np

        from bench.video.encode import write_h264

        made = root.parent / "clip.mp4"
        write_h264(made, np.zeros((frames, 32, 48, 3), np.uint8))
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        return made.rename(root / path)

    return write
