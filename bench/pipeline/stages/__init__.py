"""The stages of the pipeline, as dvc.yaml runs them."""

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from bench.config.paths import Layout
from bench.errors import UserError, unknown
from bench.utils.io import locked, sweep

if TYPE_CHECKING:
    from bench.config.profile import Config
    from bench.pipeline.stages.train import Launch

# Stage -> folders that it writes, as attributes of Layout.
_FOLDERS: dict[str, tuple[str, ...]] = {
    "data": ("index",),
    "words": ("words",),
    "splits": ("splits",),
    "inputs": ("inputs",),
    "audit": (),
    "train": (),
    "score": ("records", "curves"),
    "table": ("tables", "metrics", "plots"),
    "report": ("report",),
}
_FILES = {"inputs": "inputs_status", "audit": "audit"}  # in folders that all profiles share
STAGES = tuple(_FOLDERS)


def run_stage(name: str, config: "Config", layout: Layout) -> None:
    """Run a stage, one process at a time, after removing what a killed one left half-written."""
    if name not in STAGES:
        raise unknown("stage", name, STAGES)
    if name == "train":  # has a lock of its own
        train_cells(config, layout)
        return
    with locked(layout.scratch / "locks" / f"stage-{name}"):
        for attribute in _FOLDERS[name]:
            sweep(getattr(layout, attribute))
        if name == "inputs":
            sweep(layout.scratch / "frozen")
        if name in _FILES:
            file = getattr(layout, _FILES[name])
            sweep(file.parent, file.name)
        import_module(f"bench.pipeline.stages.{name}").run(config, layout)


def train_cells(
    config: "Config",
    layout: Layout,
    only: Sequence[str] = (),
    launch: "Launch | None" = None,
    readings: bool = False,
    force: bool = False,
) -> None:
    """Train the cells that are missing.

    If some fail, the others are scored and the tables written before a ``UserError`` names them:
    a failed stage ends ``dvc repro``.
    """
    from bench.pipeline.stages.train import Launch, run

    failures = run(config, layout, launch or Launch(), only, readings, force)
    if not failures:
        return
    run_stage("score", config, layout)
    run_stage("table", config, layout)
    cells = sorted({failure.job.cell for failure in failures})
    more = f" and {len(cells) - 5} more" if len(cells) > 5 else ""
    raise UserError(
        f"{len(cells)} cells failed: {', '.join(cells[:5])}{more} ({failures[0].reason}); the "
        "other cells are kept and the tables are written; fix the method and run the command again"
    )
