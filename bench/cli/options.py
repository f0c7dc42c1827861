"""Options that several commands share."""

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
        "--profile", "-p", help="Instead of params.yaml's.", autocompletion=completion.profiles
    ),
]


def opened(profile: str | None) -> "tuple[Config, Layout]":
    """Return the configuration of a profile and where its files are."""
    from bench.config.profile import load_config

    root = find_root()
    config = load_config(root, profile)
    return config, Layout(root, config.name)


TextFormat = Annotated[
    str,
    typer.Option(
        "--format", "-f", help="text or json.", autocompletion=completion.among("text", "json")
    ),
]

AsJson = Annotated[bool, typer.Option("--json", help="JSON, for a script.")]

Dataset = Annotated[
    str,
    typer.Argument(help="For example ucf101 or mini_ucf.", autocompletion=completion.data_sets),
]

TestLists = Annotated[
    Path | None, typer.Option("--lists", help="official3: folder or archive of test lists.")
]

Jobs = Annotated[int, typer.Option("--jobs", "-j", min=0, help="Processes; 0: one a core.")]
