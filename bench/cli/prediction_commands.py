"""``bench score`` and ``bench classify``: score predictions made elsewhere, classify a clip."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli import completion
from bench.cli.options import AsJson, Profile, TestLists, TextFormat, opened
from bench.cli.output import is_json, print_json
from bench.data import reference as facts
from bench.errors import UserError, unknown
from bench.utils.terminal import print_hanging

if TYPE_CHECKING:
    from bench.evaluation.predictions import Predictions


KNOWN = (*completion.PROTOCOLS, "xu50")  # xu50: fifty-fifty on the published draws
ONLY_NAMES = (
    "the file names one class a video, chosen among all; another protocol chooses among fewer, "
    "which takes every class's score (an .npz with scores, labels and classes)"
)


def score(
    file: Annotated[Path, typer.Argument(help=".csv, .tsv, .parquet, .npz or a released log.")],
    dataset: Annotated[
        str,
        typer.Option(
            "--dataset", "-d", help="For example ucf101.", autocompletion=completion.data_sets
        ),
    ],
    protocol: Annotated[
        list[str] | None,
        typer.Option(
            "--protocol",
            help="Repeatable; default: all that the file allows.",
            autocompletion=completion.among(*KNOWN),
        ),
    ] = None,
    lists: TestLists = None,
    fmt: TextFormat = "text",
    as_json: AsJson = False,
    profile: Profile = None,
) -> None:
    """Score predictions made elsewhere.

    Example: bench score mine.npz --dataset ucf101
    """
    from bench.evaluation.predictions import read_predictions

    as_json = is_json(fmt, as_json)
    for name in protocol or ():
        if name not in KNOWN:
            raise unknown("protocol", name, KNOWN)
    if lists and protocol and "official3" not in protocol:
        raise UserError("--lists is of official3 alone")
    if profile:  # one that does not exist is an error, also where a public data set needs none
        opened(profile)
    classes = _known_classes(dataset, profile)
    given = read_predictions(file, dataset, classes)
    wanted = protocol or (("full", "official3") if given.only_names else KNOWN)
    found: dict[str, Any] = {}
    left_out = []
    for name in wanted:
        try:
            splits = _splits(dataset, name, list(classes), profile, lists)
            found[name] = _evaluate(given, splits, set(classes))
        except UserError as error:
            if protocol or name == "full":
                hint = "" if protocol else "; name a --protocol that can do without"
                raise UserError(f"{file}: protocol {name}: {error}{hint}") from None
            left_out.append(f"{name} ({error})")
    notes = [f"left out: {'; '.join(left_out)}"] if left_out else []
    if given.only_names and not protocol:
        notes.append(f"other protocols are left out: {ONLY_NAMES}")
    expected = facts.published_videos(dataset) or None
    n = len(given.labels)
    if expected not in (None, n):
        notes.append(f"{n} videos, but {dataset} was released with {expected}")
    if given.disagrees:
        notes.append(f"the log's last top-1 is {given.printed}, which its lines do not give")
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    if as_json:
        value = {"dataset": dataset, "n": n, "expected": expected, "protocols": found}
        print_json({**value, "notes": notes})
        return
    _print_scores(dataset, given, expected, found)


def _known_classes(dataset: str, profile: str | None) -> dict[str, list[str]]:
    """Return class -> words ([] where unknown): of a public data set, else as a profile has it."""
    try:
        return facts.classes(dataset)
    except UserError:
        from bench.pipeline.class_splits import find_splits

        file, _ = find_splits(dataset, "full", profile)
        return {name: [] for name in file["splits"][0]["unseen"]}


def _evaluate(
    given: "Predictions", splits: list[dict[str, Any]], classes: set[str]
) -> dict[str, Any]:
    from bench.evaluation.predictions import evaluate

    if given.only_names and any(set(one["unseen"]) != classes for one in splits):
        raise UserError(ONLY_NAMES)
    return evaluate(given, splits)


def _splits(
    dataset: str, protocol: str, classes: list[str], profile: str | None, lists: Path | None
) -> list[dict[str, Any]]:
    """Return a protocol's splits; full and half10 follow from the class list alone."""
    from bench.config.profile import FiftyFifty
    from bench.data.splits import protocols
    from bench.pipeline.class_splits import find_splits

    if protocol in ("full", "half10"):
        draw = protocols.full if protocol == "full" else protocols.half10
        return [dict(one) for one in draw(classes, [])]
    draws = FiftyFifty(published="xu50") if protocol == "xu50" else None
    name = "fifty-fifty" if draws else protocol
    lists = lists if protocol == "official3" else None
    listed: list[dict[str, Any]] = find_splits(dataset, name, profile, draws, lists)[0]["splits"]
    return listed


def _print_scores(
    dataset: str, given: "Predictions", expected: int | None, found: dict[str, Any]
) -> None:
    from tabulate import tabulate

    from bench.config.profile import PER_SPLIT

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
    if set(PER_SPLIT).union(["xu50"]).intersection(found):
        print("fifty-fifty, xu50, truze: one model here; published numbers train one a split")
    for name, one in found.items():
        parts = [p for p in one.get("splits", {"": one}).values() if p["videos"] != p["listed"]]
        if counts := [f"{p['videos']}/{p['listed']}" for p in parts if p["listed"] is not None]:
            print(f"{name}: {', '.join(counts)} listed videos are in the file")
    for name, one in found.items():
        if "per_class" not in one:
            continue
        zero, none = one["zero_classes"], one["no_videos"]
        print(f"{name}: {len(zero)} classes at 0 %{': ' * bool(zero)}{', '.join(zero)}")
        if none:
            print(f"{name}: {len(none)} classes without a video: {', '.join(none)}")
        if name != "full" and len(found) > 1:
            continue
        counted = [(c, r, n) for c, (n, r) in one["per_class"].items() if n]
        lines = [[f"{name}: {c}", f"{100 * r / n:.1f} %", f"{r}/{n}"] for c, r, n in counted]
        print(tabulate(lines, tablefmt="plain", disable_numparse=True))


def _number(mean: float | None, std: float | None) -> str:
    if mean is None:
        return "-"
    return f"{mean:.2f}" if std is None else f"{mean:.2f} ± {std:.2f}"


def classify(
    video: Annotated[Path, typer.Argument(help="A video file of any kind that ffmpeg reads.")],
    classes: Annotated[
        str, typer.Option("--classes", "-c", help="Your class names, separated by commas.")
    ],
    method: Annotated[
        str | None,
        typer.Option(
            "--method",
            "-m",
            help="A trained row; default: the project's.",
            autocompletion=completion.rows,
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The row's seed.")] = 0,
    top: Annotated[int, typer.Option("--top", min=1, help="How many classes to show.")] = 5,
    fmt: TextFormat = "text",
    as_json: AsJson = False,
    profile: Profile = None,
) -> None:
    """Rank your class names for your clip.

    Example: bench classify clip.mp4 -c "surfing,knitting"
    """
    import warnings

    from bench.api import classify as ranked
    from bench.pipeline.inference.own_inputs import checked

    as_json = is_json(fmt, as_json)
    names = checked(classes.split(",") if classes.strip() else [])
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always", UserWarning)
        found = ranked(video, names, method, seed, top=top, profile=profile)
    for note in (one for one in notes if issubclass(one.category, UserWarning)):
        print(f"note: {note.message}", file=sys.stderr)
    rows = [(int(rank), *one) for rank, one in zip(found.index, found.to_numpy(), strict=True)]
    if as_json:
        keys = ("rank", "class", "similarity", "seen")
        listed = [dict(zip(keys, row, strict=True)) for row in rows]
        print_json({**found.attrs, "classes": listed})
        return
    kind = found.attrs["score"]
    width = max(len("class"), *(len(name) for _, name, _, _ in rows))
    print_hanging(f"{video}: {found.attrs['row']}", 2)
    print(f"rank  {'class':<{width}}  {'cosine' if kind == 'cosine' else 'score'}")
    for rank, name, similarity, seen in rows:
        mark = "  a training class" if seen else ""
        print(f"{rank:>4}  {name:<{width}}  {similarity:6.3f}{mark}")
    what = "Cosines are" if kind == "cosine" else "Scores (the method's own) are"
    shown = f" {len(rows)} of {len(names)} names shown." if len(rows) < len(names) else ""
    print_hanging(f"{what} {found.attrs['note']}.{shown}", 0)
