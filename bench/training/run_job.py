"""One attempt at a cell: how it ended, and which undeclared files its method read."""

import importlib.util
import os
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from bench.config.paths import Layout
from bench.data.index import read_index
from bench.errors import UserError
from bench.experiments.fingerprint import code_files, refresh_code
from bench.experiments.method_registry import blame, load
from bench.experiments.plan import parts_on_disk
from bench.training.cell_inputs import MissingInput
from bench.training.distributed import ALONE, World
from bench.training.job import Job
from bench.training.run_cell import Report, run_cell
from bench.training.trainer import Diverged
from bench.utils.io import locked

Ended = tuple[str, str]


def attempt(job: Job, report: Report, world: World = ALONE) -> Ended:
    """Run a cell; return its status (ok, failed, broken or missing) and the reason.

    The parts of the fingerprint that files decide are computed before and after, and compared with
    those of the plan: a cell that ran with other code or data fails, and nothing of it is stored.
    """
    _forget_modules(job.layout.root)
    refresh_code()
    guard = FileGuard(job.layout, job.method.path)
    try:
        with guard:
            load(job.method)
    except UserError as error:
        return "broken", str(error)
    done = job.layout.runs / job.cell / "run.json"
    before = _written(done)

    def reported(step: int, loss: float) -> None:
        guard.check()
        report(step, loss)

    def check(loaded: Mapping[str, str]) -> Mapping[str, str]:
        guard.check()
        refresh_code()
        used = {**_parts(job), **loaded}
        _compare(job, used)
        return used

    try:
        declared = [job.method.path.parent / name for name in job.method.files]
        guard.allow([*code_files(job.method.path, job.layout.root), *declared], *_data(job))
        _compare(job, _parts(job))
        with guard:
            if world.size > 1:
                run_cell(job, reported, world, check)
                return "ok", ""
            # Another run of the same profile, or what a killed one left, may write this cell.
            with locked(job.layout.scratch / "locks" / job.cell):
                if not done.is_file() or _written(done) == before:
                    run_cell(job, reported, check=check)
    except MissingInput as error:
        return "missing", str(error)
    except (UserError, Diverged, FloatingPointError) as error:
        return "failed", str(error)
    except BaseException as error:  # also sys.exit, and an interrupt that the method raises
        if world.size > 1 and isinstance(error, KeyboardInterrupt):
            raise  # no worker: it is the command itself that is interrupted
        return "failed", blame(error, job.method.path)
    return "ok", ""


def _written(file: Path) -> int:
    return file.stat().st_mtime_ns if file.is_file() else 0


def _parts(job: Job) -> dict[str, str]:
    """Return the parts that files decide, as the files are now."""
    read = list(job.tests) if job.method.learning == "none" else job.datasets
    inputs = dict.fromkeys(job.inputs, read)
    split = job.facts["split"]
    try:
        return parts_on_disk(job.layout, job.method, split, job.datasets, inputs, job.checkpoint)
    except (SyntaxError, OSError) as error:
        raise UserError(f"{error}: changed while cells were trained; run 'bench train'") from None


def _compare(job: Job, used: Mapping[str, str]) -> None:
    planned = job.facts["parts"]
    changed = sorted(key for key, value in used.items() if planned.get(key, value) != value)
    if changed:
        what = [f"methods/{job.method.path.name}" if one == "source" else one for one in changed]
        raise UserError(
            f"{', '.join(what)} changed after the cell was planned; nothing is stored, "
            "run 'bench train' again"
        )


def _data(job: Job) -> list[Path]:
    """Return the files and folders with the data of a cell."""
    index = job.layout.index
    roots = [index / read_index(index, name).root for name in job.datasets]
    weights = [job.layout.root / job.network.weights] if job.network.weights else []
    return [*roots, *weights, *([job.checkpoint] if job.checkpoint else [])]


def _forget_modules(root: Path) -> None:
    """Drop the modules of methods, so that a cell imports them as they are now."""
    for name, module in list(sys.modules.items()):
        file = Path(getattr(module, "__file__", None) or "")
        helper = file.parent == root and name == file.stem and name not in ("conftest", "setup")
        if helper or (file.is_relative_to(root / "methods") and file.name != "__init__.py"):
            del sys.modules[name]


# What the pipeline itself writes and reads, and the environment.
_OPEN = ("bench", "data", "runs", "splits", "results", ".bench", ".dvc", ".git", ".venv")


class FileGuard:
    """Records the undeclared files of the project that are opened or imported within ``with``.

    Python reports every ``open`` to an audit hook; reads by C libraries are not seen.
    """

    def __init__(self, layout: Layout, method: Path) -> None:
        self._root, self._method = layout.root.resolve(), method
        self._folders = [Path(sys.prefix).resolve(), *(self._root / name for name in _OPEN)]
        self._allowed = {method.resolve(), method.resolve().with_name("__init__.py")}
        self._opened: dict[Path, None] = {}

    def allow(self, files: Iterable[Path], *data: Path) -> None:
        """Allow files, and everything in the folders of ``data``."""
        self._allowed |= {file.resolve() for file in files}
        self._folders += [place.resolve() for place in data]

    def check(self) -> None:
        """Raise UserError for the first file that was opened and is not declared."""
        for file in list(self._opened):
            if file not in self._allowed and not any(map(file.is_relative_to, self._folders)):
                self._opened.clear()
                name = os.path.relpath(file, self._method.resolve().parent)
                raise UserError(
                    f"methods/{self._method.name} reads {file.relative_to(self._root)}, which it "
                    f'does not declare: add files = ("{name}",) to its class, so that a change of '
                    "the file trains its cells again"
                )

    def note(self, path: Any) -> None:
        """Note a path that was opened, if it is a file of the project."""
        try:
            text = os.fsdecode(path)
        except TypeError:  # a file descriptor
            return
        if text.endswith(".pyc"):
            try:
                text = importlib.util.source_from_cache(text)
            except ValueError:
                return
        file = Path(os.path.realpath(text))
        if file.is_relative_to(self._root) and file not in self._opened and file.is_file():
            self._opened[file] = None

    def __enter__(self) -> "FileGuard":
        _install()
        _active.append(self)
        return self

    def __exit__(self, *error: object) -> None:
        _active.remove(self)


_active: list[FileGuard] = []


@cache
def _install() -> None:
    """Add the audit hook of this process, once: it cannot be removed."""
    sys.addaudithook(_hear)


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _active:
        guard = _active.pop()  # what the note itself opens is not the method's
        try:
            guard.note(arguments[0])
        finally:
            _active.append(guard)
