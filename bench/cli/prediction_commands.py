"""``bench score`` and ``bench classify``: score predictions made elsewhere, classify a clip."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli import completion
from bench.cli.options import AsJson, Profile, TestLists, TextFormat, opened
from bench.cli.output import is_json, print_json
from bench.errors import UserError
from bench.utils.terminal import print_hanging

if TYPE_CHECKING:
    from bench.evaluation.predictions import Predictions


def score(
    file: Annotated[
        Path, typer.Argument(help="Predictions: .csv, .tsv, .parquet, .npz or a released log.")
    ],
    dataset: Annotated[
        str,
        typer.Option(
            "--dataset",
            "-d",
            help="Data set of the videos, e.g. ucf101.",
            autocompletion=completion.data_sets,
        ),
    ],
    protocol: Annotated[
        list[str] | None,
        typer.Option(
            "--protocol",
            help="Protocol to score; repeatable (default: all that the file allows).",
            autocompletion=completion.among(*completion.PROTOCOLS, "xu50"),
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
    from bench.data.reference import published_videos
    from bench.pipeline.prediction_scores import score_file

    as_json = is_json(fmt, as_json)
    if lists and protocol and "official3" not in protocol:
        raise UserError("--lists applies to official3 only")
    if profile:  # an unknown profile is an error even if the data set needs none
        opened(profile)
    given, found, notes = score_file(file, dataset, protocol or (), profile, lists)
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    expected = published_videos(dataset) or None
    if as_json:
        value = {"dataset": dataset, "n": len(given.labels), "expected": expected}
        print_json({**value, "protocols": found, "notes": notes})
        return
    _print_scores(dataset, given, expected, found)


def classify(
    video: Annotated[Path, typer.Argument(help="Video file in any format that ffmpeg reads.")],
    classes: Annotated[
        str, typer.Option("--classes", "-c", help="Class names, separated by commas.")
    ],
    method: Annotated[
        str | None,
        typer.Option(
            "--method",
            "-m",
            help="Trained row to use (default: the project's).",
            autocompletion=completion.rows,
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the row.")] = 0,
    top: Annotated[int, typer.Option("--top", min=1, help="Number of classes to show.")] = 5,
    fmt: TextFormat = "text",
    as_json: AsJson = False,
    profile: Profile = None,
) -> None:
    """Rank class names for a clip.

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


def _print_scores(
    dataset: str, given: "Predictions", expected: int | None, found: dict[str, Any]
) -> None:
    from tabulate import tabulate

    from bench.config.profile import PER_SPLIT

    of = f" of {expected}" if expected else ""
    print(f"{dataset}: {len(given.labels)}{of} videos, {len(given.classes)} classes")
    if given.printed and not given.disagrees:
        print(f"the last top-1 in the log, {given.printed}, agrees")
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
        print("fifty-fifty, xu50, truze: one model for all splits; published numbers have one each")
    for name, one in found.items():
        splits = one.get("splits", {"": one}).values()
        partial = [s for s in splits if s["listed"] not in (None, s["videos"])]
        if counts := ", ".join(f"{s['videos']}/{s['listed']}" for s in partial):
            print(f"{name}: {counts} listed videos are in the file")
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
