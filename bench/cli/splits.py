"""``bench splits show``: the class splits of a protocol, built by a stage or drawn from facts."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.cli import complete
from bench.cli.stages import Profile
from bench.errors import UserError, unknown
from bench.utils.terminal import print_hanging

TextFormat = Annotated[
    str,
    typer.Option(
        "--format", "-f", help="text or json.", autocompletion=complete.among("text", "json")
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON, for a script.")]
Dataset = Annotated[
    str,
    typer.Argument(help="For example ucf101 or mini_ucf.", autocompletion=complete.data_sets),
]
TestLists = Annotated[
    Path | None, typer.Option("--lists", help="official3: folder or archive of test lists.")
]


def splits_show(
    dataset: Dataset,
    protocol: Annotated[
        str,
        typer.Argument(help=", ".join(complete.PROTOCOLS), autocompletion=complete.protocols),
    ],
    published: Annotated[
        bool, typer.Option("--published", help="fifty-fifty: the 50 draws of Xu et al. 2017.")
    ] = False,
    lists: TestLists = None,
    fmt: TextFormat = "text",
    as_json: AsJson = False,
    profile: Profile = None,
) -> None:
    """Print a protocol's class splits.

    Example: bench splits show ucf101 truze --json
    """
    from bench.config.profile import PROTOCOLS, FiftyFifty
    from bench.pipeline.inference.find_splits import find_splits

    as_json = is_json(fmt, as_json)
    if protocol not in PROTOCOLS:
        raise unknown("protocol", protocol, PROTOCOLS)
    if published and protocol != "fifty-fifty":
        raise UserError("--published is of fifty-fifty alone")
    if lists and protocol != "official3":
        raise UserError("--lists is of official3 alone")
    draws = FiftyFifty(published="xu50") if published else None
    file, note = find_splits(dataset, protocol, profile, draws, lists)
    if note:
        print(f"note: {note}", file=sys.stderr)
    if as_json:
        print_json(file["splits"])
        return
    print_hanging(
        f"{file['dataset']} {file['protocol']}: {file['definition']} (hash {file['digest']})", 3
    )
    for one in file["splits"]:
        lists_of = {key: value for key, value in one.items() if key != "name"}
        counts = ", ".join(f"{len(names)} {key}" for key, names in lists_of.items())
        print(f"{one['name']}: {counts}")
        for key, names in lists_of.items():
            print_hanging(f"   {key}: {', '.join(names)}", 6)


def is_json(fmt: str, as_json: bool = False) -> bool:
    """Return whether JSON is asked for, by --format or by --json; a UserError if ``fmt`` is odd."""
    if fmt not in ("text", "json"):
        raise unknown("format", fmt, ("text", "json"))
    return as_json or fmt == "json"


def print_json(value: Any) -> None:
    """Print a value as JSON that people can read, too."""
    import json

    print(json.dumps(value, indent=1, ensure_ascii=False))
