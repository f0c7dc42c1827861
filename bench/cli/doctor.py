"""``bench doctor``: can this profile run here, what does it lack, and how long will it take?"""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.splits import AsJson, TextFormat, is_json, print_json
from bench.cli.stages import Profile, opened
from bench.config.paths import Layout
from bench.utils.terminal import print_hanging

if TYPE_CHECKING:
    from bench.config.profile import Config
    from bench.pipeline.step_timing import Estimate


def doctor(
    profile: Profile = None,
    fmt: TextFormat = "text",
    as_json: AsJson = False,
    timed: Annotated[
        bool, typer.Option("--time/--no-time", help="Time a step to say how long the run takes.")
    ] = True,
) -> None:
    """Say what a run needs and how long it takes; exit code 1 if something is missing.

    Example: bench doctor --profile paper
    """
    from bench.pipeline.doctor import MISSING, examine

    as_json = is_json(fmt, as_json)
    config, layout = opened(profile)
    findings = examine(config, layout)
    missing = sum(one.state == MISSING for one in findings)
    if not as_json:
        print(f"profile {config.name}: {config.profile.title}")
        for one in findings:
            print_hanging(
                f"{one.state:<8} {one.what}: {'; '.join(filter(None, (one.detail, one.how)))}", 9
            )
    time, said = _time(config, layout) if timed else (None, "")
    if as_json:
        value = {
            "profile": config.name,
            "ready": not missing,
            "findings": [asdict(one) for one in findings],
            "time": asdict(time) if time else None,
            "time_said": said,
        }
        print_json(value)
    else:
        if said:
            print_hanging(f"time     {said}", 9)
        print(f"{missing} missing: the run cannot start" if missing else "ready: 'dvc repro'")
    if missing:
        raise typer.Exit(1)


def _time(config: "Config", layout: Layout) -> "tuple[Estimate | None, str]":
    """Return the estimate and its line; nothing that goes wrong in timing ends the report."""
    import os

    from bench.pipeline.doctor import cells_to_train, gpus

    try:
        from bench.pipeline.step_timing import estimate
        from bench.utils.progress import duration

        cells, _ = cells_to_train(config, layout)
        if not cells:
            return None, "nothing to train"
        cards = len(gpus(config))
        side = cards or len(os.sched_getaffinity(0))
        found = estimate(config, layout, cells, side)
    except Exception as error:  # a method's own error, too little memory, a broken torch
        return None, f"not known: {' '.join(str(error).split())[:200]}"
    kind = "GPU" if cards else "core"
    on = f"{side} {kind}{'s' * (side > 1)}"
    return found, f"about {duration(found.seconds)} for {cells} cells on {on} ({found.basis})"
