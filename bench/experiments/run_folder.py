"""A finished cell's folder: what it says, and whether its files are still those that were written.

``run.json`` is written last; its ``files`` are the digests of the others.
"""

import sys
from pathlib import Path

from bench.config.paths import Layout
from bench.errors import UserError
from bench.experiments.plan import PlannedCell
from bench.experiments.record import Run
from bench.utils.io import known_digest

EMBEDDINGS = "embeddings.safetensors"
BEST = "best_on_test.safetensors"
AGAIN = "run 'bench train', which trains the cell again"


def read_run(folder: Path) -> Run | None:
    """Return a cell's run.json, None if there is none; UserError if one of its files has changed.

    Only the embeddings have to be there: models are large, and nothing is computed from them.
    """
    run = Run.read(folder / "run.json")
    for name, written in run.files.items() if run else ():
        found = known_digest(folder / name)
        if found and written != found:
            raise UserError(f"{folder / name}: not the file that the training wrote; {AGAIN}")
        if not found and name in (EMBEDDINGS, BEST):
            raise UserError(f"{folder / name} is missing; {AGAIN}")
    return run


def is_done(layout: Layout, cell: PlannedCell) -> bool:
    """Tell whether a cell has a finished, undamaged run with its present fingerprint."""
    try:
        run = read_run(layout.runs / cell.cell)
    except UserError as error:
        print(error, file=sys.stderr, flush=True)
        return False
    return run is not None and run.fingerprint == cell.fingerprint
