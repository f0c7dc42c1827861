"""What every test may use: one thread, the shared data, a copy of the project, small videos."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from project import ROOT, Bench, Ended, copy_project, run_bench

# Before anything imports torch: more threads are slower here, and change the order of sums.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")
os.environ.setdefault("BENCH_JOBS", "1")  # the tests themselves run side by side


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Give the folder of real material, or skip."""
    folder = Path(os.environ.get("BENCH_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("no shared data: set BENCH_TEST_DATA to its folder")
    return folder


@pytest.fixture(scope="session")
def _results() -> str:
    """Return why ``results/`` cannot be compared with the documents, or ""."""
    words = ["git", "status", "--porcelain", "results"]
    changed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    if changed.returncode or changed.stdout:
        return "results/ differs from the committed results, which the documents quote"
    for profile in ("mini", "ucf15"):
        counts = json.loads(run_bench(ROOT, "status", "-p", profile, "--json").out)["counts"]
        if counts.get("outdated"):
            return f"committed records of {profile} are outdated: the code has changed since"
    return ""


@pytest.fixture
def committed_results(_results: str) -> None:
    """Skip where ``results/`` is not the committed one or its records are outdated."""
    if _results:
        pytest.skip(_results)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Give a copy of the project's code and parameters, without data or results."""
    copy_project(tmp_path)
    return tmp_path


@pytest.fixture
def bench(project: Path) -> Bench:
    """Give a function that runs the command line in the copy, within this process."""

    def run(*words: str, cwd: Path = project) -> Ended:
        return run_bench(cwd, *words)

    return run


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

        from bench.data.synthetic.moving_shapes import write_h264

        made = root.parent / "clip.mp4"
        write_h264(made, np.zeros((frames, 32, 48, 3), np.uint8))
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        return made.rename(root / path)

    return write
