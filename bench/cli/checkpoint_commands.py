"""``bench checkpoint``: import released files as rows, export cells in the released form."""

from pathlib import Path
from typing import Annotated

import typer

from bench.cli import completion
from bench.cli.options import AsJson, Profile, opened
from bench.cli.output import print_json

app = typer.Typer(rich_markup_mode=None, help="Import, export and list released checkpoints.")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="Released file, e.g. AURL662_checkpoint.pth.tar.")],
    method: Annotated[
        str,
        typer.Option(
            "--method",
            "-m",
            help="Method that the weights belong to.",
            autocompletion=completion.methods,
        ),
    ],
    name: Annotated[
        str, typer.Option("--name", help="Name in the tables (default: file name).")
    ] = "",
    profile: Profile = None,
) -> None:
    """Import a released checkpoint file as a row.

    Example: bench checkpoint import FILE --method aurl
    """
    from bench.pipeline.released_checkpoints import import_checkpoint, is_prepared
    from bench.pipeline.stages import run_stage, train_cells

    config, layout = opened(profile)
    row = import_checkpoint(config, layout, file, method, name)
    print(f"imported {file.name} as row {row} of profile {config.name}")
    if not is_prepared(config, layout):
        print(f"set 'profile: {config.name}' in params.yaml and run 'dvc repro' to evaluate it")
        return
    train_cells(config, layout, [row])
    for stage in ("score", "table"):
        run_stage(stage, config, layout)


@app.command("export")
def export(
    cell: Annotated[
        str,
        typer.Argument(
            help="Cell, e.g. aurl.transfer.seed0.",
            autocompletion=completion.cells,
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Output file.")],
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
    profile: Profile = None,
) -> None:
    """Write the weights of a cell in the format of the released files.

    Example: bench checkpoint export aurl.transfer.seed0 --out aurl.pth.tar
    """
    from bench.pipeline.released_checkpoints import export_checkpoint

    count = export_checkpoint(opened(profile)[1], cell, out, force)
    print(f"wrote {out}: {count} weights")


@app.command("list")
def list_(as_json: AsJson = False, profile: Profile = None) -> None:
    """List the imported checkpoints of a profile.

    Example: bench checkpoint list --profile released
    """
    from bench.data.formats.checkpoint_file import CheckpointFile

    _, layout = opened(profile)
    found = {
        path.stem: CheckpointFile.require(path)
        for path in sorted(layout.checkpoints.glob("*.json"))
    }
    if as_json:
        print_json({name: facts.content() for name, facts in found.items()})
        return
    for name, facts in found.items():
        chosen = ", chosen on test data" if facts.chosen == "best_on_test" else ""
        print(
            f"{name}  method {facts.method}, {facts.classes} classes, from "
            f"{facts.source} (sha256 {facts.sha256}){chosen}"
        )
