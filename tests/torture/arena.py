"""An arena: a throw-away copy of the project with a tiny profile, in which a fault is made.

Videos lie outside (``World.outside``), so that every arena indexes the same files.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from bench.errors import UserError
from bench.experiments.record import read_record
from bench.utils.io import unsealed

SOURCE = Path(__file__).resolve().parents[2]
SHIM = Path(__file__).resolve().parent / "shim"
STAGES = ("data", "words", "splits", "inputs", "audit", "train", "score", "table")
OUTPUTS = ("data", "runs", "splits", "results")
# What differs between two undisturbed runs: times, and whether git looks after the copy (for DVC).
TIMES = {"started", "wall_s", "cpu_s", "speed", "checksum", "git_commit", "git_dirty"}
DRIVER = """
import sys
from bench.cli.main import main
for words in sys.argv[1:]:
    sys.argv = ["bench", *words.split()]
    try:
        main()
    except SystemExit as ended:
        if ended.code:
            raise
"""


class NotPossible(Exception):
    """This machine cannot make the fault (no right to mount, no DVC); the message says why."""


class Ended(NamedTuple):
    """How a command ended: exit code (negative: a signal), both outputs, seconds."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def error(self) -> str:
        """The one line of a user's error, "" if there is none."""
        lines = [line for line in self.err.splitlines() if line.startswith("error: ")]
        return lines[-1].removeprefix("error: ") if lines else ""


class Arena:
    """One copy. ``bench`` runs commands in it, one process for all of them."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, *parts: str) -> Path:
        """Return a path below the arena."""
        return self.root.joinpath(*parts)

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment of a command: one thread, the arena's own code, the shim."""
        path = os.pathsep.join((str(self.root), str(SHIM)))
        tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        own = {"PYTHONPATH": path, "PATH": tools, "TORTURE_ROOT": str(self.root)}
        threads = {"OMP_NUM_THREADS": "1", "BENCH_JOBS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        return {**os.environ, **threads, **own, **more}

    def start(self, *commands: str, out: Any = subprocess.PIPE, **more: Any) -> Any:
        """Start ``bench COMMAND`` for each command, in one process and a group of its own."""
        variables = {k: v for k, v in more.items() if k.isupper()}
        options = {k: v for k, v in more.items() if not k.isupper()}
        return subprocess.Popen(
            [sys.executable, "-c", DRIVER, *commands],
            cwd=self.root, env=self.environment(**variables), start_new_session=True,
            stdout=out, stderr=subprocess.PIPE, text=True, **options,
        )  # fmt: skip

    def bench(self, *commands: str, timeout: float = 120, **more: Any) -> Ended:
        """Run commands one after the other, until one of them fails; kill them after a while."""
        began = time.monotonic()
        process = self.start(*commands, **more)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            kill_group(process)
            raise AssertionError(f"{commands} did not end within {timeout:.0f} s") from None
        return Ended(process.returncode, out or "", err or "", time.monotonic() - began)

    def stages(self, *names: str, **more: Any) -> Ended:
        """Run some stages, by default all, in one process."""
        return self.bench(*(f"stage {name}" for name in names or STAGES), **more)

    def results(self) -> dict[str, Any]:
        """Return path -> content of what the stages wrote, without the report and times."""
        found = {}
        report = self.path("results", "report")
        for top in OUTPUTS:
            for path in sorted(self.path(top).rglob("*")):
                if report in path.parents or path.name == ".gitignore":  # which DVC writes
                    continue
                if path.is_file():
                    found[str(path.relative_to(self.root))] = _content(path)
        return found

    def wrong(self, reference: Mapping[str, Any]) -> list[str]:
        """List the records that can be read, say ok, and differ from the undisturbed ones."""
        found = []
        for path in sorted(self.path("results", "records").rglob("*.json")):
            name = str(path.relative_to(self.root))
            try:
                record = read_record(path)
            except UserError:
                continue  # noticed: no table is made of it
            if record.status == "ok" and name in reference and _content(path) != reference[name]:
                found.append(name)
        return found


def _content(path: Path) -> Any:
    if path.suffix != ".json":
        return path.read_bytes()
    try:
        return _timeless(unsealed(json.loads(path.read_text(encoding="utf-8"))))
    except ValueError:
        return path.read_bytes()


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _timeless(v) for k, v in value.items() if k not in TIMES}
    return [_timeless(v) for v in value] if isinstance(value, list) else value


def different(found: Mapping[str, Any], reference: Mapping[str, Any]) -> list[str]:
    """List the files that differ, or that only one side has."""
    names = sorted({*found, *reference})
    return [name for name in names if found.get(name) != reference.get(name)]


def kill_group(process: Any, sig: int = signal.SIGKILL) -> None:
    """Signal a process and all that it started; reap it after a kill."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, sig)
    if sig == signal.SIGKILL:
        process.communicate()


def plain(ended: Ended) -> None:
    """Assert that a command succeeded, or failed as a user should see it: one line, exit 2."""
    if ended.code == 0:
        return
    assert "Traceback" not in ended.err, f"a traceback: {ended.err[-600:]}"
    assert ended.code == 2 and ended.error, f"exit {ended.code}: {ended.err[-600:]}"


@contextmanager
def mounted(arguments: list[str], at: Path) -> Iterator[bool]:
    """Mount something on a folder for a while; yield False where mounting is not allowed."""
    at.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["mount", *arguments, str(at)], capture_output=True)
    try:
        yield done.returncode == 0
    finally:
        if done.returncode == 0:
            subprocess.run(["umount", "-l", str(at)], capture_output=True)


def copy_code(to: Path) -> None:
    """Copy the project's code, without data or results."""
    unwanted = shutil.ignore_patterns("__pycache__")
    for name in ("bench", "methods"):
        shutil.copytree(SOURCE / name, to / name, ignore=unwanted)
    for name in ("dvc.yaml", ".dvcignore"):
        shutil.copy(SOURCE / name, to / name)
