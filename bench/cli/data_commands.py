"""``bench data``: index, check and prepare the videos of a data set."""

import os
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import AsJson, Jobs, Profile, opened
from bench.cli.output import print_json
from bench.config.paths import find_root
from bench.errors import UserError, unknown

app = typer.Typer(rich_markup_mode=None, help="Index, check and prepare videos.")

Timeout = Annotated[
    float, typer.Option(min=0.1, help="Seconds after which decoding of a file is stopped.")
]


@app.command("index")
def index(
    name: Annotated[
        str,
        typer.Argument(
            help="ucf101, hmdb51, kinetics400, kinetics600, kinetics700, activitynet200, or a name "
            "of your own for a data set with one folder per class."
        ),
    ],
    root: Annotated[Path, typer.Option(help="Folder of the videos.")],
    lists: Annotated[
        list[Path] | None,
        typer.Option(
            "--list", help="CSV with columns label,youtube_id,… or path,class; repeatable."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Manifest (default: data/manifests/NAME.parquet).")
    ] = None,
    sha256: Annotated[bool, typer.Option("--sha256", help="Hash every file.")] = False,
    jobs: Jobs = 0,
    timeout: Timeout = 600.0,
) -> None:
    """Decode all new and changed videos and write a manifest.

    Example: bench data index ucf101 --root ../ucf101
    """
    file = out or _manifest(name)
    from bench.data.manifest import update_manifest

    update_manifest(
        _valid(name), root, file, lists or [], sha256=sha256, jobs=_cores(jobs), timeout=timeout
    )
    print(f"wrote {file}")


@app.command("check")
def check(
    name: Annotated[str, typer.Argument(help="Data set that was indexed.")],
    root: Annotated[
        Path | None, typer.Option(help="Folder of the videos (default: as indexed).")
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option(help="Manifest (default: data/manifests/NAME.parquet).")
    ] = None,
    jobs: Jobs = 0,
    timeout: Timeout = 600.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random frames.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Decode five frames of each video and list the damaged ones in a CSV.

    The frames are the first, the last and three random ones. The exit code is 0 also if videos are
    damaged.

    Example: bench data check ucf101
    """
    file = manifest or _manifest(name)
    if manifest is None and not file.is_file() and _is_generated(name):
        raise UserError(
            f"data set '{name}' is generated and has no manifest; 'bench stage data' makes and "
            "checks it"
        )
    from bench.data.manifest import check_manifest

    say = partial(print, file=sys.stderr if as_json else None)
    bad = check_manifest(
        file, _valid(name), root, jobs=_cores(jobs), timeout=timeout, seed=seed, say=say
    )
    if as_json:
        print_json(bad.to_dict("records"))


@app.command("prepare")
def prepare(
    datasets: Annotated[
        list[str] | None, typer.Argument(help="Data sets (default: all with videos).")
    ] = None,
    jobs: Jobs = 0,
    profile: Profile = None,
) -> None:
    """Decode every video into the store that 'input.store: true' reads.

    Training does this by itself where needed; this command does it before, with all cores. If it is
    interrupted, at most about 1 GB is decoded again.

    Example: bench data prepare mini_ucf
    """
    from bench.data.index import read_index
    from bench.data.video.clip_reader import prepare_store

    config, layout = opened(profile)
    settings = config.profile.input
    if settings.short_side is not None:
        raise UserError(
            f"profile {config.name} crops frames of different sizes (input.short_side), which a "
            "store cannot hold; training reads the video files"
        )
    known = [name for name, one in config.profile.datasets.items() if one.kind == "videos"]
    if not known:
        raise UserError(f"profile {config.name} has no data set of videos, so nothing to decode")
    for name in datasets or ():
        if name not in known:
            raise unknown(f"data set of videos in profile {config.name}", name, known)
    for name in datasets or known:
        found = read_index(layout.index, name)
        print(prepare_store(found, settings, layout.scratch / "frames", _cores(jobs)))
    if not settings.store:
        print(f"set 'input.store: true' in profile {config.name} to train from the store")


def _manifest(name: str) -> Path:
    return find_root() / "data" / "manifests" / f"{_valid(name)}.parquet"


def _is_generated(name: str) -> bool:
    """Return whether a profile generates the data set; ignore errors elsewhere in params.yaml."""
    from bench.config.profile import read_parameters

    for profile in read_parameters(find_root())["profiles"].values():
        datasets = profile.get("datasets") if isinstance(profile, dict) else None
        dataset = datasets.get(name) if isinstance(datasets, dict) else None
        if isinstance(dataset, dict) and dataset.get("generate"):
            return True
    return False


def _valid(name: str) -> str:
    from bench.config.profile import named

    try:
        return named(name)
    except ValueError as error:
        raise UserError(str(error)) from None


def _cores(jobs: int) -> int:
    return jobs or len(os.sched_getaffinity(0))
