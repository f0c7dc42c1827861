"""``bench splits show``: the class splits of a protocol, built by a stage or drawn from facts."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from bench.api.class_splits import find_splits
from bench.cli.stages import Profile
from bench.config import PROTOCOLS, FiftyFifty
from bench.errors import UserError, unknown

TextFormat = Annotated[str, typer.Option("--format", "-f", help="text or json.")]
TestLists = Annotated[
    Path | None, typer.Option("--lists", help="official3: folder or archive of test lists.")
]


def splits_show(
    dataset: Annotated[str, typer.Argument(help="For example ucf101 or mini_ucf.")],
    protocol: Annotated[str, typer.Argument(help=", ".join(PROTOCOLS))],
    published: Annotated[
        bool, typer.Option("--published", help="fifty-fifty: the 50 draws of Xu et al. 2017.")
    ] = False,
    lists: TestLists = None,
    fmt: TextFormat = "text",
    profile: Profile = None,
) -> None:
    """Print a protocol's class splits. Example: bench splits show ucf101 truze -f json"""
    as_json = is_json(fmt)
    if published and protocol != "fifty-fifty":
        raise UserError("--published is of fifty-fifty alone")
    if lists and protocol != "official3":
        raise UserError("--lists is of official3 alone")
    draws = FiftyFifty(published="xu50") if published else None
    file, note = find_splits(dataset, protocol, profile, draws, lists)
    if note:
        print(f"note: {note}", file=sys.stderr)
    if as_json:
        print(json.dumps(file["splits"], indent=1, ensure_ascii=False))
        return
    print(f"{file['dataset']} {file['protocol']}: {file['definition']} (hash {file['digest']})")
    for one in file["splits"]:
        lists_of = {key: value for key, value in one.items() if key != "name"}
        counts = ", ".join(f"{len(names)} {key}" for key, names in lists_of.items())
        print(f"{one['name']}: {counts}")
        for key, names in lists_of.items():
            print(f"   {key}: {', '.join(names)}")


def is_json(fmt: str) -> bool:
    """Return whether ``fmt`` is json; a UserError if it is not text either."""
    if fmt not in ("text", "json"):
        raise unknown("format", fmt, ("text", "json"))
    return fmt == "json"
