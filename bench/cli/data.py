"""``bench data``: index a data set's videos on disk, and check them later."""

import os
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.prepare import prepare
from bench.cli.splits import AsJson, print_json
from bench.config.paths import find_root
from bench.errors import UserError

app = typer.Typer(rich_markup_mode=None, help="Data sets on disk: index, check, prepare them.")

Jobs = Annotated[int, typer.Option("--jobs", "-j", min=0, help="Processes; 0: one a core.")]
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
    from bench.data.integrity import check_manifest

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


app.command("prepare")(prepare)
