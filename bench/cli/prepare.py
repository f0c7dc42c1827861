"""``bench data prepare``: decode a profile's videos once, before any training."""

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.stages import Profile, opened
from bench.errors import UserError, unknown

if TYPE_CHECKING:
    from bench.config.paths import Layout
    from bench.config.profile import Config
    from bench.data.index import Index

_GB = 1e9


def prepare(
    datasets: Annotated[list[str] | None, typer.Argument(help="Default: all of videos.")] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=0, help="Processes; 0: one a core.")] = 0,
    profile: Profile = None,
) -> None:
    """Decode every video once into the store that 'input.store' reads.

    A kill costs the part in the making, about 1 GB. With input.store: true a training makes what is
    missing by itself; this makes it with every core, and says how large it will be.

    Example: bench data prepare mini_ucf
    """
    config, layout = opened(profile)
    if config.profile.input.short_side is not None:
        raise UserError(
            f"profile {config.name} crops frames of many sizes (input.short_side), which a store "
            "cannot hold; it reads the videos themselves"
        )
    sets = {name: d for name, d in config.profile.datasets.items() if d.kind == "videos"}
    if not sets:
        raise UserError(f"profile {config.name} has no data set of videos, so nothing to decode")
    for name in datasets or ():
        if name not in sets:
            raise unknown(f"data set of videos in profile {config.name}", name, sets)
    for name in datasets or sets:
        _prepare(config, layout, name, jobs)
    if not config.profile.input.store:
        print(f"set 'store: true' in the block 'input' of profile {config.name} to read from it")


def _prepare(config: "Config", layout: "Layout", name: str, jobs: int) -> None:
    from bench.data.index import read_index
    from bench.training.sources import open_video, store_folder

    index = read_index(layout.index, name)
    settings = config.profile.input.model_copy(update={"store": True})
    size = _bytes(index, settings.size)
    folder = layout.scratch / "frames"
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free + _there(store_folder(folder, name, settings))
    print(
        f"{name}: {len(index.paths)} videos, {int(index.frames.sum())} frames of "
        f"{settings.size}×{settings.size}: {size / _GB:.2f} GB",
        flush=True,
    )
    if size > free:
        raise UserError(
            f"{folder}: {free / _GB:.2f} GB free, {size / _GB:.2f} GB needed for {name}; make "
            ".bench a link to a larger disk, or leave input.store at false"
        )
    source = open_video(index, settings, folder, jobs or len(os.sched_getaffinity(0)))
    failed = f", {len(source.failures)} cannot be read" if source.failures else ""
    print(f"{name}: ready{failed}")


def _bytes(index: "Index", side: int) -> int:
    return int(index.frames.sum()) * side * side * 3


def _there(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("frames-*.bin"))
