"""``bench stage`` and ``bench train``: the stages of the pipeline, as dvc.yaml runs them."""

from typing import Annotated

import typer

from bench.cli import completion
from bench.cli.options import Profile, opened
from bench.config.paths import find_root
from bench.errors import UserError, unknown
from bench.pipeline.stages import STAGES, run_stage, train_cells

LAUNCHERS = ("slurm", "local")


def stage(
    name: Annotated[
        str,
        typer.Argument(
            help=f"One of {', '.join(STAGES)}.", autocompletion=completion.among(*STAGES)
        ),
    ],
    profile: Profile = None,
) -> None:
    """Run one stage of the pipeline without DVC.

    Example: bench stage splits
    """
    if name == "code":  # of a project outside the checkout
        from bench.pipeline.new_project import write_code

        write_code(find_root())
        return
    run_stage(name, *opened(profile))


def train(
    methods: Annotated[
        list[str] | None,
        typer.Argument(
            help="Methods or rows to train (default: all).", autocompletion=completion.rows
        ),
    ] = None,
    jobs: Annotated[
        int,
        typer.Option(
            "--jobs", "-j", min=0, help="Cells to train in parallel; 0: one per core or GPU."
        ),
    ] = 0,
    readings: Annotated[
        bool, typer.Option("--readings", help="Also train the alternative readings in params.yaml.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Train finished cells again.")] = False,
    launcher: Annotated[
        str,
        typer.Option(
            "--launcher",
            help="Train each cell as a job of a cluster (slurm) or of this machine (local).",
            autocompletion=completion.among(*LAUNCHERS),
        ),
    ] = "",
    options: Annotated[
        list[str] | None,
        typer.Option("--launcher-option", help="KEY=VALUE for submitit; repeatable."),
    ] = None,
    profile: Profile = None,
) -> None:
    """Train the cells that are missing, score them and write the tables.

    Stages before training whose output is missing run first.

    Under torchrun, all processes train each cell together (docs/devices.md).

    Example: bench train aurl base_ls -j 2

    Example: bench train --launcher slurm --launcher-option slurm_partition=gpu
    """
    from bench.pipeline.stages.train import Launch

    config, layout = opened(profile)
    launch = Launch(jobs, launcher, _launcher_options(launcher, options or []))
    if train_cells(config, layout, methods or [], launch, readings, force, prepares=True):
        run_stage("score", config, layout)
        run_stage("table", config, layout)


def _launcher_options(launcher: str, options: list[str]) -> dict[str, str | int]:
    if launcher and launcher not in LAUNCHERS:
        raise unknown("launcher", launcher, LAUNCHERS)
    found: dict[str, str | int] = {}
    for option in options:
        name, equals, value = option.partition("=")
        if not launcher:
            raise UserError(f"--launcher-option {option}: needs --launcher, e.g. --launcher slurm")
        if not (name and equals):
            raise UserError(
                f"--launcher-option {option}: expected KEY=VALUE, e.g. slurm_partition=gpu"
            )
        found[name] = int(value) if value.isdecimal() else value
    return found
