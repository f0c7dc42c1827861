"""Decode a few frames of every video of a manifest: what has been cut or exchanged since?"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd

from bench.data.manifest import read_manifest
from bench.data.probe import check_file
from bench.errors import UserError
from bench.utils.io import replacing
from bench.utils.progress import track
from bench.utils.worker_pool import TIMEOUT, Lost, run


def check_manifest(
    manifest: Path,
    name: str = "",
    root: Path | None = None,
    *,
    jobs: int = 1,
    timeout: float = TIMEOUT,
    seed: int = 0,
    say: Callable[[str], None] = print,
) -> pd.DataFrame:
    """Decode first, last and three random frames of each video; return the bad ones, sorted.

    They are written to ``<manifest's stem>.bad.csv`` beside it: path, class, reason. What the
    manifest calls unusable is bad without another look. ``root`` replaces the manifest's.
    """
    rows, known = read_manifest(manifest, name)
    root = (root or known).resolve()
    if not root.is_dir():
        raise UserError(f"folder {root} of {manifest} is missing; name it with --root")
    bad = {p: r for p, n, r in rows[["path", "frames", "reason"]].itertuples(index=False) if n == 0}
    unusable = len(bad)
    usable = rows.loc[rows["frames"] > 0, ["path", "frames", "bytes"]]
    tasks = ((p, int(n), int(size)) for p, n, size in usable.itertuples(index=False))
    check = partial(check_file, root=root, seed=seed)
    results = run(check, tasks, jobs, timeout)
    for (path, _, _), reason in track(results, len(usable), f"checking {manifest.stem}"):
        if isinstance(reason, Lost):
            bad[path] = reason.reason
        elif reason:
            bad[path] = reason
    table = rows.loc[rows["path"].isin(bad.keys()), ["path", "class"]].reset_index(drop=True)
    table["reason"] = [bad[path] for path in table["path"]]
    out = manifest.with_suffix(".bad.csv")
    with replacing(out) as part:
        table.to_csv(part, index=False)
    say(
        f"{manifest.stem}: {len(rows)} videos, {len(rows) - len(bad)} good, {len(bad)} bad "
        f"({unusable} of them by the manifest, {len(bad) - unusable} found now); listed in {out}"
    )
    for path, _, reason in table[:3].itertuples(index=False):
        say(f"  {path}: {reason}")
    return table
