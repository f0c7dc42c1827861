"""The stages of the pipeline, as dvc.yaml runs them."""

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
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
# They write what training reads, so they wait for a training to end, and it for them.
_BEFORE_TRAINING = ("data", "words", "splits", "inputs")


def run_stage(name: str, config: "Config", layout: Layout) -> None:
    """Run a stage, one process at a time, after removing what a killed one left half-written."""
    if name not in STAGES:
        raise unknown("stage", name, STAGES)
    if name == "train":  # has a lock of its own
        train_cells(config, layout)
        return
    training = [layout.scratch / "train.lock"] if name in _BEFORE_TRAINING else []
    with ExitStack() as locks:
        for path in (*training, layout.scratch / "locks" / f"stage-{name}"):
            locks.enter_context(locked(path))
        for attribute in _FOLDERS[name]:
            sweep(getattr(layout, attribute))
        if name == "inputs":
            sweep(layout.scratch / "frozen")
        if name in _FILES:
            file = getattr(layout, _FILES[name])
            sweep(file.parent, file.name)
        import_module(f"bench.pipeline.stages.{name}").run(config, layout)


def prepare(config: "Config", layout: Layout) -> None:
    """Run the stages before training whose output is missing, as in a fresh clone."""
    profile = config.profile
    tests = [f"{name}.{one}" for name, d in profile.datasets.items() for one in d.protocols]
    overlap = ["overlap"] if profile.train_on and profile.transfer_sets() else []
    outputs = {
        "data": [layout.index / f"{name}.json" for name in profile.datasets],
        "words": [layout.words / "words.json", layout.words / "classes.npz"],
        "splits": [layout.splits / f"{name}.json" for name in (*overlap, *tests)],
        "inputs": [layout.inputs_status, layout.inputs],
    }
    for name, paths in outputs.items():
        if not all(path.exists() for path in paths):
            print(f"running stage '{name}': its output is missing", flush=True)
            run_stage(name, config, layout)


def train_cells(
    config: "Config",
    layout: Layout,
    only: Sequence[str] = (),
    launch: "Launch | None" = None,
    readings: bool = False,
    force: bool = False,
    prepares: bool = False,
) -> int:
    """Train the cells that are missing; return how many new cells there are.

    With ``prepares``, stages before training whose output is missing run first. If some cells
    fail, the others are scored and the tables written before a ``UserError`` names them: a failed
    stage ends ``dvc repro``.
    """
    from bench.pipeline.stages.train import Launch, run

    first = partial(prepare, config, layout) if prepares else lambda: None
    trained = run(config, layout, launch or Launch(), only, readings, force, first)
    if not trained.failures:
        return trained.new
    run_stage("score", config, layout)
    run_stage("table", config, layout)
    cells = sorted({failure.job.cell for failure in trained.failures})
    more = f" and {len(cells) - 5} more" if len(cells) > 5 else ""
    raise UserError(
        f"{len(cells)} cells failed: {', '.join(cells[:5])}{more} ({trained.failures[0].reason}); "
        "the other cells are kept and the tables are written; fix the method and run the command "
        "again"
    )
