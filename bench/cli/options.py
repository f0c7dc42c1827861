"""Options and arguments that several commands share."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli import completion
from bench.config.paths import Layout, find_root

if TYPE_CHECKING:
    from bench.config.profile import Config

Profile = Annotated[
    str | None,
    typer.Option(
        "--profile",
        "-p",
        help="Profile to use instead of the one in params.yaml.",
        autocompletion=completion.profiles,
    ),
]
TextFormat = Annotated[
    str,
    typer.Option(
        "--format",
        "-f",
        help="Output format: text or json.",
        autocompletion=completion.among("text", "json"),
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Wide = Annotated[bool, typer.Option("--wide", help="Print every column, also on a terminal.")]
Dataset = Annotated[
    str,
    typer.Argument(help="Data set, e.g. ucf101 or mini_ucf.", autocompletion=completion.data_sets),
]
TestLists = Annotated[
    Path | None,
    typer.Option("--lists", help="Folder or archive of test lists, for official3."),
]
Jobs = Annotated[
    int, typer.Option("--jobs", "-j", min=0, help="Worker processes; 0: one per core.")
]


def opened(profile: str | None) -> "tuple[Config, Layout]":
    """Return the configuration of a profile and the paths of its files."""
    from bench.config.profile import load_config

    root = find_root()
    config = load_config(root, profile)
    return config, Layout(root, config.name)
