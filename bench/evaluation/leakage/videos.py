"""Videos that a training set and a test set share: the same bytes, or the same YouTube id."""

import re
from typing import Any

import pandas as pd

from bench.config.paths import Layout
from bench.errors import UserError
from bench.utils.io import DAMAGED

# Kinetics names its clips ID_000012_000022, ActivityNet v_ID. Others have no ids in their names.
_ID = re.compile(r"(?:v_)?([\w-]{11})(?:_\d{6}_\d{6})?$", re.ASCII)
_WITH_IDS = ("kinetics", "activitynet")
NONE = "no lists in this profile"
SHOWN = 20


def shared_videos(layout: Layout, source: str, test: str) -> dict[str, Any]:
    """Return how two data sets' videos were compared, and the test set's that both have.

    ``by`` is "" where neither ids nor digests stand in both indexes; ``compared`` counts the test
    videos that have one; ``names`` shows at most ``SHOWN``.
    """
    ours, theirs = _marks(layout, source), _marks(layout, test)
    kinds = [kind for kind in ("digest", "YouTube id") if ours[kind] and theirs[kind]]
    known = {kind: set(ours[kind].values()) for kind in kinds}
    names = {path for k in kinds for path, mark in theirs[k].items() if mark in known[k]}
    compared = {path for kind in kinds for path in theirs[kind]}
    return {
        "by": ", ".join(kinds),
        "compared": len(compared),
        "shared": len(names),
        "names": sorted(names)[:SHOWN],
    }


def _marks(layout: Layout, dataset: str) -> dict[str, dict[str, str]]:
    """Return kind -> path -> mark of the videos of a data set; nothing without its index."""
    path = layout.index / f"{dataset}.parquet"
    try:
        rows = pd.read_parquet(path)
    except FileNotFoundError:
        rows = pd.DataFrame({"path": []})
    except DAMAGED as error:
        raise UserError(f"{path}: damaged ({error}); run 'bench stage data'") from None
    paths = [str(one) for one in rows["path"]]
    digests = [str(one) for one in rows["sha256"]] if "sha256" in rows else []
    ids = {}
    if dataset.startswith(_WITH_IDS):
        stems = ((path.rpartition("/")[2].rpartition(".")[0], path) for path in paths)
        ids = {path: found[1] for stem, path in stems if (found := _ID.match(stem))}
    return {
        "digest": {path: one for path, one in zip(paths, digests, strict=False) if one},
        "YouTube id": ids,
    }
