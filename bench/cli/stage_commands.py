"""``bench stage`` and ``bench train``: the stages of the pipeline, as dvc.yaml runs them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli import completion
from bench.cli.options import Profile, opened
from bench.config.paths import Layout, find_root
from bench.errors import UserError, unknown

if TYPE_CHECKING:
    from bench.config.profile import Config
    from bench.pipeline.stages.train import Launch


STAGES = ("data", "words", "splits", "inputs", "audit", "train", "score", "table", "report")


def stage(
    name: Annotated[
        str,
        typer.Argument(
            help=f"One of {', '.join(STAGES)}.", autocompletion=completion.among(*STAGES)
        ),
    ],
    profile: Profile = None,
) -> None:
    """Run one stage of the pipeline, without DVC.

    Example: bench stage splits
    """
    if name == "code":  # of a project outside the checkout: see bench.start
        from bench.pipeline.new_project import write_code

        write_code(find_root())
        return
    config, layout = opened(profile)
    run_stage(name, config, layout)


def run_stage(name: str, config: "Config", layout: Layout) -> None:
    """Run a stage by its name, one process at a time; what a killed one left half is removed."""
    from bench.utils.io import locked, sweep

    if name not in STAGES:
        raise unknown("stage", name, STAGES)
    if name == "train":  # it has a lock of its own, with `bench train`
        _train(config, layout)
        return
    with locked(layout.scratch / "locks" / f"stage-{name}"):
        for folder in _written(name, layout):
            sweep(folder)
        if name in ("inputs", "audit"):  # a file in a folder that all profiles share
            file = layout.inputs_status if name == "inputs" else layout.audit
            sweep(file.parent, file.name)
        _run(name, config, layout)


def _written(name: str, layout: Layout) -> tuple[Path, ...]:
    folders: dict[str, tuple[Path, ...]] = {
        "data": (layout.index,),
        "words": (layout.words,),
        "splits": (layout.splits,),
        "inputs": (layout.inputs, layout.scratch / "frozen"),
        "audit": (),
        "score": (layout.records, layout.curves),
        "table": (layout.tables, layout.metrics, layout.plots),
        "report": (layout.report,),
    }
    return folders[name]


def _run(name: str, config: "Config", layout: Layout) -> None:
    """Run a stage; each one imports what it needs and no more."""
    if name == "data":
        from bench.pipeline.stages import data

        data.run(config, layout)
    elif name == "words":
        from bench.pipeline.stages import words

        words.run(config, layout)
    elif name == "splits":
        from bench.pipeline.stages import splits

        splits.run(config, layout)
    elif name == "inputs":
        from bench.pipeline.stages import inputs

        inputs.run(config, layout)
    elif name == "audit":
        from bench.pipeline.stages import audit

        audit.run(config, layout)
    elif name == "score":
        from bench.pipeline.stages import score

        score.run(config, layout)
    elif name == "table":
        from bench.pipeline.stages import table

        table.run(config, layout)
    else:
        from bench.pipeline.stages import report

        report.run(config, layout)


def train(
    methods: Annotated[
        list[str] | None,
        typer.Argument(help="Methods or rows; default: all.", autocompletion=completion.rows),
    ] = None,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=0, help="Cells side by side; 0: one a core or GPU.")
    ] = 0,
    readings: Annotated[
        bool, typer.Option("--readings", help="Also the alternative readings of params.yaml.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Train finished cells again.")] = False,
    launcher: Annotated[
        str,
        typer.Option(
            "--launcher",
            help="Each cell as a job: of a cluster (slurm), or of this machine (local).",
            autocompletion=completion.among("slurm", "local"),
        ),
    ] = "",
    options: Annotated[
        list[str] | None,
        typer.Option("--launcher-option", help="KEY=VALUE of submitit; may be repeated."),
    ] = None,
    profile: Profile = None,
) -> None:
    """Train the cells that are missing.

    Under torchrun all its processes train each cell together (docs/devices.md).

    Example: bench train aurl base_ls -j 2

    Example: bench train --launcher slurm --launcher-option slurm_partition=gpu
    """
    from bench.pipeline.stages.train import Launch

    config, layout = opened(profile)
    launch = Launch(jobs, launcher, _options(launcher, options or []))
    _train(config, layout, methods or [], launch, readings, force)


def _options(launcher: str, options: list[str]) -> dict[str, str | int]:
    if launcher not in ("", "slurm", "local"):
        raise unknown("launcher", launcher, ("slurm", "local"))
    found: dict[str, str | int] = {}
    for one in options:
        name, given, value = one.partition("=")
        if not (given and name and launcher):
            missing = "needs --launcher" if launcher == "" else "is KEY=VALUE"
            raise UserError(f"--launcher-option {one}: {missing}, e.g. slurm_partition=gpu")
        found[name] = int(value) if value.isdecimal() else value
    return found


def _train(
    config: "Config",
    layout: Layout,
    only: list[str] | None = None,
    launch: "Launch | None" = None,
    readings: bool = False,
    force: bool = False,
) -> None:
    from bench.pipeline.stages import train as stage_train

    launch = launch or stage_train.Launch()
    failures = stage_train.run(config, layout, launch, only or [], readings, force)
    if failures:
        # A failed stage ends `dvc repro`; the rows that did train must be seen all the same.
        run_stage("score", config, layout)
        run_stage("table", config, layout)
        names = ", ".join(sorted({f.job.cell for f in failures})[:5])
        more = f" and {len(failures) - 5} more" if len(failures) > 5 else ""
        raise UserError(
            f"{len(failures)} cells did not train: {names}{more}; those that did are kept, and the "
            f"tables are written; mend the method and run again ({failures[0].reason})"
        )
