"""``bench classify``: a trained row names what it sees in your own clip, from your own names."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from bench.cli import complete
from bench.cli.splits import AsJson, TextFormat, is_json, print_json
from bench.cli.stages import Profile
from bench.utils.terminal import print_hanging


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
            autocompletion=complete.rows,
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
    from bench.pipeline.inference.own_classes import checked

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
