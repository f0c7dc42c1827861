"""``bench score``: predictions made elsewhere, scored under the protocols of this project."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench import facts
from bench.cli.show import TextFormat, _is_json
from bench.cli.stages import Profile
from bench.config import PROTOCOLS
from bench.errors import UserError, unknown

if TYPE_CHECKING:
    from bench.scoring.predictions import Predictions

ONLY_NAMES = (
    "the file names one class a video, chosen among all; another protocol chooses among fewer, "
    "which takes every class's score (an .npz with scores, labels and classes)"
)


def score(
    file: Annotated[Path, typer.Argument(help=".csv, .tsv, .parquet, .npz or a released log.")],
    dataset: Annotated[str, typer.Option("--dataset", "-d", help="For example ucf101.")],
    protocol: Annotated[
        list[str] | None,
        typer.Option("--protocol", help="Repeatable; default: all that the file allows."),
    ] = None,
    fmt: TextFormat = "text",
    profile: Profile = None,
) -> None:
    """Score predictions made elsewhere. Example: bench score mine.npz --dataset ucf101"""
    from bench.scoring.predictions import read_predictions

    as_json = _is_json(fmt)
    for name in protocol or ():
        if name not in PROTOCOLS:
            raise unknown("protocol", name, PROTOCOLS)
    classes = _classes(dataset, profile)
    given = read_predictions(file, dataset, classes)
    found, notes = _protocols(file, given, dataset, protocol, list(classes), profile)
    expected = facts.VIDEOS.get(dataset)
    n = len(given.labels)
    if expected not in (None, n):
        notes.append(f"{n} videos, but {dataset} was released with {expected}")
    if given.disagrees:
        notes.append(f"the log's last top-1 is {given.printed}, which its lines do not give")
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    if as_json:
        value = {"dataset": dataset, "n": n, "expected": expected, "protocols": found}
        print(json.dumps({**value, "notes": notes}, indent=1, ensure_ascii=False))
        return
    _print(dataset, given, expected, found)


def _classes(dataset: str, profile: str | None) -> dict[str, list[str]]:
    """Return class -> words ([] where unknown): of a public data set, else as a profile has it."""
    from bench.cli.splits import find_splits

    try:
        return facts.classes(dataset)
    except UserError:
        file, _ = find_splits(dataset, "full", profile)
        return {name: [] for name in file["splits"][0]["unseen"]}


def _protocols(
    file: Path,
    given: "Predictions",
    dataset: str,
    wanted: list[str] | None,
    classes: list[str],
    profile: str | None,
) -> tuple[dict[str, Any], list[str]]:
    """Return protocol -> result, and why those that were not asked for by name are left out."""
    from bench.scoring.protocol import evaluate

    found: dict[str, Any] = {}
    notes = [] if wanted or not given.only_names else [f"protocol full alone: {ONLY_NAMES}"]
    for name in wanted or (("full",) if given.only_names else PROTOCOLS):
        try:
            if given.only_names and name != "full":
                raise UserError(ONLY_NAMES)
            found[name] = evaluate(given, _splits(dataset, name, classes, profile))
        except UserError as error:
            if wanted or name == "full":
                hint = "" if wanted else "; name a --protocol that can do without"
                raise UserError(f"{file}: protocol {name}: {error}{hint}") from None
            notes.append(f"protocol {name} is left out: {error}")
    return found, notes


def _splits(
    dataset: str, protocol: str, classes: list[str], profile: str | None
) -> list[dict[str, Any]]:
    """Return a protocol's splits; full and half10 follow from the class list alone."""
    from bench import protocols
    from bench.cli.splits import find_splits

    if protocol in ("full", "half10"):
        draw = protocols.full if protocol == "full" else protocols.half10
        return [dict(one) for one in draw(classes, [])]
    listed: list[dict[str, Any]] = find_splits(dataset, protocol, profile)[0]["splits"]
    if set(listed[0]) - {"name", "seen", "unseen"}:
        raise UserError("it chooses videos beside classes, which a file of scores cannot follow")
    return listed


def _print(dataset: str, given: "Predictions", expected: int | None, found: dict[str, Any]) -> None:
    from tabulate import tabulate

    of = f" of {expected}" if expected else ""
    print(f"{dataset}: {len(given.labels)}{of} videos, {len(given.classes)} classes")
    if given.printed and not given.disagrees:
        print(f"the log's last top-1, {given.printed}, agrees")
    rows = []
    for name, one in found.items():
        mean, std = one.get("mean", one), one.get("std", {})
        cells = [_number(mean[m], std.get(m)) for m in ("top1", "top5", "class_mean")]
        rows.append([name, len(one.get("splits", [0])), *cells])
    heads = ["protocol", "splits", "top-1", "top-5", "class mean"]
    print(tabulate(rows, heads, disable_numparse=True, colalign=("left", *["right"] * 4)))
    if any("std" in one for one in found.values()):
        print("mean ± population standard deviation over the splits, in percent")
    if "fifty-fifty" in found:
        print("fifty-fifty: one model on each unseen half; published numbers train one a split")
    for name, one in found.items():
        if "per_class" not in one:
            continue
        zero, none = one["zero_classes"], one["no_videos"]
        print(f"{name}: {len(zero)} classes at 0 %{': ' * bool(zero)}{', '.join(zero)}")
        if none:
            print(f"{name}: {len(none)} classes without a video: {', '.join(none)}")
        counted = [(c, r, n) for c, (n, r) in one["per_class"].items() if n]
        lines = [[f"{name}: {c}", f"{100 * r / n:.1f} %", f"{r}/{n}"] for c, r, n in counted]
        print(tabulate(lines, tablefmt="plain", disable_numparse=True))


def _number(mean: float | None, std: float | None) -> str:
    if mean is None:
        return "-"
    return f"{mean:.2f}" if std is None else f"{mean:.2f} ± {std:.2f}"
