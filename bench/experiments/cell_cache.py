"""Finished cells under their fingerprints, so that no change of a parameter costs a training twice.

`dvc exp run` and `dvc checkout` replace ``runs/`` by what a commit has: a cell that `bench train`
finished since is gone then, and one of other parameters is gone after every change. Each finished
cell is linked into ``.bench/<profile>/kept`` (the same bytes on disk) and comes back from there.
"""

import os
import shutil
from collections.abc import Collection
from contextlib import suppress
from functools import partial
from pathlib import Path

from bench.config.paths import Layout
from bench.errors import UserError
from bench.experiments.run_folder import read_run
from bench.utils.io import read_json, replace_folder


def home(root: Path) -> Path:
    """Return the project that a queued DVC experiment works for in its copy ``root``, or root."""
    for folder in root.parents:
        if folder.parts[-3:] == (".dvc", "tmp", "exps"):
            return folder.parents[2]
    return root


def settle(layout: Layout, outside: Collection[Path] = ()) -> None:
    """Give a copy of the project what git does not carry: decoded frames, and data beside it.

    ``outside``: paths as params.yaml has them; of one that begins with ``..`` the first folder
    beside the project is linked to.
    """
    main = home(layout.root)
    if main == layout.root:
        return
    frames = main / ".bench" / layout.profile / "frames"
    frames.mkdir(parents=True, exist_ok=True)
    _link(frames, layout.scratch / "frames")
    for path in outside:
        up = sum(part == ".." for part in path.parts)
        if path.parts[:1] == ("..",):
            first = Path(*path.parts[: up + 1])
            _link((main / first).resolve(), Path(os.path.normpath(layout.root / first)))


def keep(layout: Layout, cells: Collection[tuple[str, str]], anew: Collection[str] = ()) -> None:
    """Link finished cells (name, fingerprint); those named in ``anew`` replace what is kept."""
    for cell, fingerprint in cells:
        place = _place(layout, cell, fingerprint)
        if cell in anew:
            shutil.rmtree(place, ignore_errors=True)
        if place.is_dir():
            continue
        part = place.with_name(f".{place.name}.{os.getpid()}.part")
        part.mkdir(parents=True, exist_ok=True)
        with suppress(OSError):  # no room: it is not kept
            for file in (layout.runs / cell).iterdir():
                try:
                    os.link(file, part / file.name)
                except OSError:  # another disk, or one without links
                    shutil.copyfile(file, part / file.name)
            part.replace(place)
        shutil.rmtree(part, ignore_errors=True)


def bring_back(layout: Layout, cell: str, fingerprint: str) -> bool:
    """Copy a kept cell to its place in ``runs/``; False if there is none that is undamaged."""
    place = _place(layout, cell, fingerprint)
    if not place.is_dir():
        return False
    try:
        facts = read_run(place, "fingerprint")
        whole = bool(facts) and facts["fingerprint"] == fingerprint
    except UserError:
        whole = False
    if not whole:
        shutil.rmtree(place, ignore_errors=True)
        return False
    copy = partial(shutil.copytree, place, dirs_exist_ok=True)
    replace_folder(layout.runs / cell, copy)
    return True


def forget(layout: Layout, current: Collection[tuple[str, str, str]]) -> None:
    """Remove kept cells of code that is no more: of another core than the ``current`` methods
    (name, core, source) have, or another source of one of them.

    A method whose file is away (on another branch) keeps its cells. A copy of the project removes
    nothing: its code may be older.
    """
    if home(layout.root) != layout.root:
        return
    methods, cores = {name for name, _, _ in current}, {core for _, core, _ in current}
    for folder in _folder(layout).glob("*"):
        try:
            facts = read_json(folder / "run.json", "method", parts={str: str}) or {}
        except UserError:
            facts = {}
        parts = facts.get("parts", {})
        code = (facts.get("method", ""), parts.get("core", ""), parts.get("source", ""))
        if code not in current and (code[0] in methods or code[1] not in cores):
            shutil.rmtree(folder, ignore_errors=True)


def _folder(layout: Layout) -> Path:
    return home(layout.root) / ".bench" / layout.profile / "kept"


def _place(layout: Layout, cell: str, fingerprint: str) -> Path:
    return _folder(layout) / f"{cell}-{fingerprint}"


def _link(there: Path, here: Path) -> None:
    if there.exists() and not here.exists():
        here.parent.mkdir(parents=True, exist_ok=True)
        with suppress(OSError):
            here.symlink_to(there)
