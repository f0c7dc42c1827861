"""``bench data``: index, check and prepare the videos of a data set."""

import os
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.options import AsJson, Jobs, Profile, opened
from bench.cli.output import print_json
from bench.config.paths import find_root
from bench.errors import UserError, unknown

if TYPE_CHECKING:
    from bench.config.paths import Layout
    from bench.config.profile import Config
    from bench.data.index import Index


app = typer.Typer(rich_markup_mode=None, help="Data sets on disk: index, check, prepare them.")

Timeout = Annotated[float, typer.Option(min=0.1, help="Seconds for one file, then it is killed.")]


@app.command("index")
def index(
    name: Annotated[
        str,
        typer.Argument(
            help="ucf101, hmdb51, kinetics400, kinetics600, kinetics700, activitynet200, or a name "
            "of your own, whose classes are its folders."
        ),
    ],
    root: Annotated[Path, typer.Option(help="Folder of the videos.")],
    lists: Annotated[
        list[Path] | None,
        typer.Option("--list", help="CSV: label,youtube_id,… or path,class. May be repeated."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Default: data/manifests/NAME.parquet of the checkout.")
    ] = None,
    sha256: Annotated[bool, typer.Option("--sha256", help="Hash every file, too.")] = False,
    jobs: Jobs = 0,
    timeout: Timeout = 600.0,
) -> None:
    """Decode every new or changed video and write a manifest.

    Example: bench data index ucf101 --root ../ucf101
    """
    file = out or _default(name)
    from bench.data.manifest import update_manifest

    update_manifest(
        _named(name), root, file, lists or [], sha256=sha256, jobs=cores(jobs), timeout=timeout
    )
    print(f"wrote {file}")


@app.command("check")
def check(
    name: Annotated[str, typer.Argument(help="As given to 'bench data index'.")],
    root: Annotated[Path | None, typer.Option(help="Default: where it was indexed.")] = None,
    manifest: Annotated[
        Path | None, typer.Option(help="Default: data/manifests/NAME.parquet of the checkout.")
    ] = None,
    jobs: Jobs = 0,
    timeout: Timeout = 600.0,
    seed: Annotated[int, typer.Option(min=0, help="Draws the random frames.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Decode first, last and three random frames of each video; list the bad ones in a CSV.

    It is a report: bad videos leave the exit code at 0.

    Example: bench data check ucf101
    """
    file = manifest or _default(name)
    if manifest is None and not file.is_file() and name in _generated():
        raise UserError(
            f"data set '{name}' is generated: 'bench stage data' makes it and checks it; there is "
            "no manifest of 'bench data index' to check"
        )
    from bench.data.manifest import check_manifest

    say = partial(print, file=sys.stderr if as_json else None)
    bad = check_manifest(
        file, _named(name), root, jobs=cores(jobs), timeout=timeout, seed=seed, say=say
    )
    if as_json:
        print_json(bad.to_dict("records"))


def _default(name: str) -> Path:
    return find_root() / "data" / "manifests" / f"{_named(name)}.parquet"


def _generated() -> set[str]:
    """Return the data sets that a profile generates; what is wrong elsewhere in it is not asked."""
    from bench.config.profile import read_parameters

    profiles = read_parameters(find_root())["profiles"].values()
    blocks = [one.get("datasets") for one in profiles if isinstance(one, dict)]
    return {
        str(name)
        for block in blocks
        if isinstance(block, dict)
        for name, given in block.items()
        if isinstance(given, dict) and given.get("generate")
    }


def _named(name: str) -> str:
    from bench.config.profile import named

    try:
        return named(name)
    except ValueError as error:
        raise UserError(str(error)) from None


def cores(jobs: int) -> int:
    """Return how many processes ``--jobs`` asks for."""
    return jobs or len(os.sched_getaffinity(0))


_GB = 1e9


@app.command("prepare")
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
    from bench.data.video.clip_reader import ClipReader, store_folder

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
    source = ClipReader.open(index, settings, folder, jobs or len(os.sched_getaffinity(0)))
    failed = f", {len(source.failures)} cannot be read" if source.failures else ""
    print(f"{name}: ready{failed}")


def _bytes(index: "Index", side: int) -> int:
    return int(index.frames.sum()) * side * side * 3


def _there(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("frames-*.bin"))
