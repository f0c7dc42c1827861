"""A finished cell's folder: what it says, and whether its files are still those that were written.

``run.json`` is written last; its ``files`` are the digests of the others.
"""

import sys
from pathlib import Path
from typing import Any

from bench.config.paths import Layout
from bench.errors import UserError
from bench.experiments.plan import PlannedCell
from bench.utils.io import known_digest, read_json

EMBEDDINGS = "embeddings.safetensors"
BEST = "best_on_test.safetensors"
AGAIN = "run 'bench train', which trains it again"


def read_run(folder: Path, *texts: str, **shapes: Any) -> Any:
    """Return a cell's run.json, None where there is none; UserError if any of its files changed.

    ``texts`` and ``shapes`` as in ``read_json``.

    Only the embeddings have to be there: models are large, and nothing is computed from them.
    """
    shapes = {"files?": {str: str}, **shapes}
    facts = read_json(folder / "run.json", *texts, **shapes)
    if facts is None:
        return None
    for name, written in facts.get("files", {EMBEDDINGS: ""}).items():
        found = known_digest(folder / name)
        if found and written not in ("", found):
            raise UserError(f"{folder / name}: not the file that the training wrote; {AGAIN}")
        if not found and name in (EMBEDDINGS, BEST):
            raise UserError(f"{folder / name} is missing; {AGAIN}")
    return facts


def is_done(layout: Layout, cell: PlannedCell) -> bool:
    """Tell whether a cell has a finished, undamaged run with its present fingerprint."""
    try:
        facts = read_run(layout.runs / cell.cell, "fingerprint")
    except UserError as error:
        print(error, file=sys.stderr, flush=True)
        return False
    return bool(facts) and facts["fingerprint"] == cell.fingerprint
