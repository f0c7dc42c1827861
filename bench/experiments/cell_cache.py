"""Finished cells: whether their files are undamaged, and a cache of them by fingerprint.

``dvc exp run`` and ``dvc checkout`` replace ``runs/`` by the cells of a commit, and a change of
parameters replaces its cells. So ``bench train`` hard-links every finished cell into
``.bench/<profile>/kept``, where it uses no additional disk space, and restores it from there:
returning to earlier parameters does not retrain.
"""

import os
import shutil
import sys
from collections.abc import Collection
from contextlib import suppress
from functools import partial
from pathlib import Path

from bench.config.paths import Layout
from bench.errors import UserError
from bench.experiments.plan import PlannedCell
from bench.experiments.record import Run
from bench.utils.io import known_digest, replace_folder

EMBEDDINGS = "embeddings.safetensors"
BEST = "best_on_test.safetensors"
AGAIN = "run 'bench train', which trains the cell again"


def read_run(folder: Path) -> Run | None:
    """Return a cell's run.json, None if it does not exist; UserError if a file has changed.

    Only the embeddings have to be there: models are large, and nothing is computed from them.
    """
    run = Run.read(folder / "run.json")
    for name, written in run.files.items() if run else ():
        found = known_digest(folder / name)
        if found and written != found:
            raise UserError(f"{folder / name}: not the file that the training wrote; {AGAIN}")
        if not found and name in (EMBEDDINGS, BEST):
            raise UserError(f"{folder / name} is missing; {AGAIN}")
    return run


def is_done(layout: Layout, cell: PlannedCell) -> bool:
    """Tell whether a cell has a finished, undamaged run with its present fingerprint."""
    try:
        run = read_run(layout.runs / cell.cell)
    except UserError as error:
        print(error, file=sys.stderr, flush=True)
        return False
    return run is not None and run.fingerprint == cell.fingerprint


def main_project(root: Path) -> Path:
    """Return the project for which DVC copied the experiment ``root``, or ``root`` itself."""
    for folder in root.parents:
        if folder.parts[-3:] == (".dvc", "tmp", "exps"):
            return folder.parents[2]
    return root


def link_shared_files(layout: Layout, paths: Collection[Path] = ()) -> None:
    """Link decoded frames, and data outside the project, into DVC's copy of the project.

    ``paths`` are the data paths in params.yaml. For a path that begins with ``..``, its first
    folder outside the project is linked. Does nothing in the project itself.
    """
    main = main_project(layout.root)
    if main == layout.root:
        return
    frames = main / ".bench" / layout.profile / "frames"
    frames.mkdir(parents=True, exist_ok=True)
    _link(frames, layout.scratch / "frames")
    for path in paths:
        up = sum(part == ".." for part in path.parts)
        if path.parts[:1] == ("..",):
            first = Path(*path.parts[: up + 1])
            _link((main / first).resolve(), Path(os.path.normpath(layout.root / first)))


def store(layout: Layout, cells: Collection[tuple[str, str]], new: Collection[str] = ()) -> None:
    """Store finished cells (name, fingerprint); the names in ``new`` replace stored cells."""
    for cell, fingerprint in cells:
        place = _place(layout, cell, fingerprint)
        if cell in new:
            shutil.rmtree(place, ignore_errors=True)
        if place.is_dir():
            continue
        part = place.with_name(f".{place.name}.{os.getpid()}.part")
        part.mkdir(parents=True, exist_ok=True)
        with suppress(OSError):  # the disk is full: the cell is not cached
            for file in (layout.runs / cell).iterdir():
                try:
                    os.link(file, part / file.name)
                except OSError:  # on another disk, or on one without links
                    shutil.copyfile(file, part / file.name)
            part.replace(place)
        shutil.rmtree(part, ignore_errors=True)


def restore(layout: Layout, cell: str, fingerprint: str) -> bool:
    """Copy a cell from the cache to ``runs/``; return False if it is not there, or damaged."""
    place = _place(layout, cell, fingerprint)
    if not place.is_dir():
        return False
    try:
        run = read_run(place)
        whole = run is not None and run.fingerprint == fingerprint
    except UserError:
        whole = False
    if not whole:
        shutil.rmtree(place, ignore_errors=True)
        return False
    copy = partial(shutil.copytree, place, dirs_exist_ok=True)
    replace_folder(layout.runs / cell, copy)
    return True


def evict(layout: Layout, current: Collection[tuple[str, str, str]]) -> None:
    """Delete cached cells of code that has changed.

    ``current`` lists the methods with the digests of their code: (name, core, source). A cell is
    deleted if its method has other digests now, or if no method has its core. A method whose file
    is missing (on another branch) keeps its cells. A copy of the project, whose code may be older,
    deletes nothing.
    """
    if main_project(layout.root) != layout.root:
        return
    methods, cores = {name for name, _, _ in current}, {core for _, core, _ in current}
    for folder in _folder(layout).glob("*"):
        try:
            run = Run.read(folder / "run.json")
        except UserError:
            run = None
        parts = run.parts if run else {}
        code = (run.method if run else "", parts.get("core", ""), parts.get("source", ""))
        if code not in current and (code[0] in methods or code[1] not in cores):
            shutil.rmtree(folder, ignore_errors=True)


def _folder(layout: Layout) -> Path:
    return main_project(layout.root) / ".bench" / layout.profile / "kept"


def _place(layout: Layout, cell: str, fingerprint: str) -> Path:
    return _folder(layout) / f"{cell}-{fingerprint}"


def _link(there: Path, here: Path) -> None:
    if there.exists() and not here.exists():
        here.parent.mkdir(parents=True, exist_ok=True)
        with suppress(OSError):
            here.symlink_to(there)
