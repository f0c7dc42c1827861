"""Commands that print what is there: tables, splits, status. None of them needs data or torch."""

import json
import sys
from typing import Annotated

import typer

from bench.cli.stages import Profile, opened
from bench.config import PROTOCOLS, load_config
from bench.errors import UserError, unknown
from bench.files import read_json
from bench.layout import Layout, find_root

TextFormat = Annotated[str, typer.Option("--format", "-f", help="text or json.")]


def table(
    which: Annotated[
        str, typer.Option("--which", "-w", help="ablation, sota, readings, splits or overlap.")
    ] = "ablation",
    fmt: Annotated[
        str, typer.Option("--format", "-f", help="md, latex, csv, html or json.")
    ] = "md",
    profile: Profile = None,
) -> None:
    """Print a table from the records that are there. Example: bench table --which ablation"""
    from bench.stages.table import context
    from bench.tables import build, render

    config, layout = opened(profile)
    print(render(build(which, context(config, layout)), fmt).rstrip("\n"))


def status(profile: Profile = None) -> None:
    """Show how many cells of each row are done, failed, outdated or not run."""
    from bench.stages.table import context
    from bench.tables.cells import cells

    config, layout = opened(profile)
    rows: dict[str, dict[str, int]] = {}
    reasons: dict[str, str] = {}
    for cell in cells(context(config, layout)):
        counts = rows.setdefault(cell.row, {})
        counts[cell.state] = counts.get(cell.state, 0) + 1
        if cell.reason:
            reasons.setdefault(f"{cell.row} {cell.state}", cell.reason)
    width = max(map(len, rows), default=0)
    print(f"profile {config.name}: {config.profile.title}")
    for row, counts in rows.items():
        states = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
        print(f"{row:<{width}}  {states}")
    for what, reason in reasons.items():
        print(f"  {what}: {reason}")


def splits_show(
    dataset: Annotated[str, typer.Argument(help="For example ucf101 or mini_ucf.")],
    protocol: Annotated[str, typer.Argument(help=", ".join(PROTOCOLS))],
    fmt: TextFormat = "text",
    profile: Profile = None,
) -> None:
    """Print a protocol's class splits. Example: bench splits show mini_ucf half10 -f json"""
    from bench.cli.splits import find_splits

    as_json = is_json(fmt)
    file, note = find_splits(dataset, protocol, profile)
    if note:
        print(f"note: {note}", file=sys.stderr)
    if as_json:
        print(json.dumps(file["splits"], indent=1, ensure_ascii=False))
        return
    print(f"{file['dataset']} {file['protocol']}: {file['definition']} (hash {file['digest']})")
    for one in file["splits"]:
        print(f"{one['name']}: {len(one['seen'])} seen, {len(one['unseen'])} unseen")
        print(f"   seen: {', '.join(one['seen'])}")
        print(f"   unseen: {', '.join(one['unseen'])}")


def splits_overlap(
    tau: Annotated[
        float | None, typer.Option("--tau", min=0, help="Default: the profile's.")
    ] = None,
    fmt: TextFormat = "text",
    profile: Profile = None,
) -> None:
    """Print the classes that τ keeps and removes. Example: bench splits overlap --tau 0.1"""
    from bench.protocols import Nearest

    as_json = is_json(fmt)
    root = find_root()
    config = load_config(root, profile)
    path = Layout(root, config.name).splits / "overlap.json"
    overlap = read_json(path, "classes", "train", "test", "tau")
    if overlap is None:
        raise UserError(
            f"profile {config.name} has no overlap file: it trains on no other data set, "
            "or 'bench stage splits' has not run"
        )
    limit = config.profile.tau if tau is None else tau
    kept: list[dict[str, str]] = []
    removed: list[dict[str, str]] = []
    for one in overlap["classes"]:
        nearest = Nearest(one["class"], one["nearest"], one["dataset"], float(one["distance"]))
        # The file's distances are rounded; at the τ that it was made with, its own verdict counts.
        keep = one["kept"] if limit == overlap["tau"] else nearest.kept(limit)
        (kept if keep else removed).append(one)
    if as_json:
        keys = ("class", "nearest", "dataset", "distance")
        value = {
            "train": overlap["train"],
            "test": overlap["test"],
            "tau": limit,
            "kept": [one["class"] for one in kept],
            "removed": [{k: one[k] for k in keys} for one in removed],
        }
        print(json.dumps(value, indent=1, ensure_ascii=False))
        return
    total = len(kept) + len(removed)
    print(f"tau = {limit:g}: {len(kept)} of {total} classes of {overlap['train']} kept")
    for one in sorted(removed, key=lambda one: float(one["distance"])):
        distance = float(one["distance"])
        print(f"removed {one['class']}: {distance:.4f} from {one['nearest']} ({one['dataset']})")
    print(f"kept: {', '.join(one['class'] for one in kept)}")


def is_json(fmt: str) -> bool:
    """Return whether ``--format`` asks for JSON; other than text or json is a UserError."""
    if fmt not in ("text", "json"):
        raise unknown("format", fmt, ("text", "json"))
    return fmt == "json"
