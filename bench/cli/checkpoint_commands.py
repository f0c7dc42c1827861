"""``bench checkpoint``: import released files as rows, export cells in the released form."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli import completion
from bench.cli.options import AsJson, Profile, opened
from bench.cli.output import print_json
from bench.cli.stage_commands import run_stage, train
from bench.config.paths import Layout

if TYPE_CHECKING:
    from bench.config.profile import Config


app = typer.Typer(rich_markup_mode=None, help="Released checkpoints: import, export, list.")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="For example AURL662_checkpoint.pth.tar.")],
    method: Annotated[
        str,
        typer.Option(
            "--method",
            "-m",
            help="The method that it belongs to.",
            autocompletion=completion.methods,
        ),
    ],
    name: Annotated[str, typer.Option("--name", help="Default: the file's name.")] = "",
    profile: Profile = None,
) -> None:
    """Make a released file a row.

    Example: bench checkpoint import FILE --method aurl
    """
    from bench.pipeline.released_checkpoints import import_checkpoint

    config, layout = opened(profile)
    row = import_checkpoint(config, layout, file, method, name)
    print(f"imported {file.name} as row {row} of profile {config.name}")
    if not _has_data(config, layout):
        print(f"'dvc repro' will evaluate it, once params.yaml says 'profile: {config.name}'")
        return
    train([row], profile=config.name)
    for stage in ("score", "table"):
        run_stage(stage, config, layout)


@app.command("export")
def export(
    cell: Annotated[
        str,
        typer.Argument(
            help="A folder of runs/<profile>: aurl.transfer.seed0.", autocompletion=completion.cells
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write.")],
    force: Annotated[bool, typer.Option("--force", help="Replace the file.")] = False,
    profile: Profile = None,
) -> None:
    """Write a cell's weights as released.

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
    from bench.utils.io import read_json

    _, layout = opened(profile)
    found = {
        path.stem: read_json(path, "method", "source", "sha256", "chosen", classes=int)
        for path in sorted(layout.checkpoints.glob("*.json"))
    }
    if as_json:
        print_json(found)
        return
    for name, facts in found.items():
        chosen = ", chosen on test data" if facts["chosen"] == "best_on_test" else ""
        print(
            f"{name}  method {facts['method']}, {facts['classes']} classes, from "
            f"{facts['source']} (sha256 {facts['sha256']}){chosen}"
        )


def _has_data(config: "Config", layout: Layout) -> bool:
    """Tell whether the stages before training have run."""
    files = [layout.words / "words.json"]
    for name in config.profile.transfer_sets():
        files.append(layout.index / f"{name}.json")
        protocols = config.profile.datasets[name].protocols
        files += [layout.splits / f"{name}.{protocol}.json" for protocol in protocols]
    return all(file.is_file() for file in files)
