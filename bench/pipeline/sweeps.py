"""Sweeps: the rows of DVC's experiments, each under the parameters that its own commit has.

An experiment is a commit (``refs/exps/…``) with its params.yaml, splits and records. They are read
against the present code, so that a row of other code is outdated here as in every other table.
"""

import re
import subprocess
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.config.paths import Layout
from bench.config.profile import Config, load_config, read_parameters
from bench.data.formats.overlap_file import OverlapFile
from bench.errors import UserError, unknown
from bench.experiments.saved_sweeps import flat, other_settings
from bench.pipeline.verify.clean_tree import archived
from bench.reports.tables.context import read_context
from bench.reports.tables.rows import Row, collect

_REF = re.compile(r"refs/exps/[0-9a-f]{2}/[0-9a-f]{38}/(\S+) ([0-9a-f]{40})")


@dataclass(frozen=True)
class Point:
    """One setting: its parameters, flat, and its rows."""

    experiment: str  # its name, "" for the workspace
    commit: str
    config: Config
    settings: Mapping[str, Any]
    only: tuple[str, ...]
    rows: Sequence[Row]
    headlines: Sequence[str]  # the accuracies of every data set under every protocol
    classes: Mapping[str, int]  # training classes kept by τ, and of how many


def read_sweep(config: Config, layout: Layout, over: Sequence[str] = ()) -> dict[str, Any]:
    """Return the sweep of all experiments of a profile: swept parameters, and an entry a row.

    ``over``: only experiments in which none but these parameters differ from the workspace.
    Raises UserError if there is no such experiment or parameter.
    """
    base = _point(config, layout, "", "")
    others = list(_experiments(config, layout))
    known = sorted({key for point in others for key in _differing(base, point)})
    chosen = [_named(name, known) for name in over]
    if over:
        others = [point for point in others if _differing(base, point) <= set(chosen)]
    keys = chosen or known
    if not others or not keys:
        which = f" in which only {', '.join(over)} differs" if over else ""
        raise UserError(
            f"no experiment of profile {config.name}{which}; queue some with 'dvc exp run --queue "
            "-S tau=0,0.1 -S only=[METHOD]', run them with 'dvc exp run --run-all' (docs/sweeps.md)"
        )
    swept = [(p, row) for p in others for row in p.rows if _is_swept(p, row, _differing(base, p))]
    names = {row.name for _, row in swept}
    found: dict[str, dict[str, Any]] = {}
    for point, row in [*((base, row) for row in base.rows if row.name in names), *swept]:
        entry = _entry(point, row, keys)
        place = f"{row.name} {entry['set']}"
        if place not in found or entry["status"] == "ok":
            found[place] = entry
    order = {row.name: at for at, row in enumerate(base.rows)}
    rows = sorted(found.values(), key=lambda one: _place(order, one))
    return {"profile": config.name, "parameters": keys, "rows": rows}


def _experiments(config: Config, layout: Layout) -> Iterator[Point]:
    words = ["git", "for-each-ref", "--sort=creatordate", "--format=%(refname) %(objectname)"]
    done = subprocess.run([*words, "refs/exps"], cwd=layout.root, capture_output=True, text=True)
    if done.returncode:
        raise UserError(
            f"{layout.root} is no git checkout, and DVC keeps experiments in git: run 'git init' "
            "and commit the project first; 'bench sweep NAME' prints a saved sweep"
        )
    profile, root = config.name, layout.root
    for found in map(_REF.fullmatch, done.stdout.splitlines()):
        if not found:
            continue
        name, commit = found.groups()
        with tempfile.TemporaryDirectory(prefix="bench-sweep-") as folder:
            tree = Path(folder)
            for shared in ("bench", "methods", "data"):
                (tree / shared).symlink_to(root / shared)
            if not archived(root, commit, tree, "params.yaml"):
                continue
            if read_parameters(tree).get("profile") != profile:
                continue
            archived(root, commit, tree, f"splits/{profile}")
            archived(root, commit, tree, f"results/records/{profile}")
            archived(root, commit, tree, f"results/inputs/{profile}.json")
            yield _point(load_config(tree), Layout(tree, profile), name, commit)


def _point(config: Config, layout: Layout, experiment: str, commit: str) -> Point:
    whole = read_context(config, layout)
    rows = [row for row in collect(whole) if row.status != "quoted"]
    overlap = OverlapFile.read(layout.splits / "overlap.json")
    kept = [one["kept"] for one in overlap.classes] if overlap else []
    classes = {"kept": sum(kept), "of": len(kept)} if kept else {}
    settings = dict(flat("", config.profile.model_dump(mode="json", exclude={"title"})))
    settings |= dict(flat("methods.", config.methods))
    return Point(experiment, commit, config, settings, config.only, rows, whole.headlines, classes)


def _differing(a: Point, b: Point) -> set[str]:
    keys = a.settings.keys() | b.settings.keys()
    return {key for key in keys if a.settings.get(key) != b.settings.get(key)}


def _named(name: str, known: Sequence[str]) -> str:
    """Return the parameter that ``name`` means: its full name, or the unambiguous end of one."""
    if not known:
        raise UserError(f"--over {name}: no experiment changes a parameter (docs/sweeps.md)")
    ends = [key for key in known if key == name or key.endswith(f".{name}")]
    if len(ends) != 1:
        raise unknown("parameter that an experiment changes", name, ends or known)
    return ends[0]


def _is_swept(point: Point, row: Row, keys: Collection[str]) -> bool:
    """Tell whether a row was trained for the sweep: named, or of a parameter that it has."""
    if point.only:
        return row.name in point.only or (row.method in point.only and not row.is_variant)
    shared = any(not key.startswith("methods.") for key in keys)
    own = any(key.startswith(f"methods.{row.method}.") for key in keys)
    return (shared or own) and not row.is_variant


def _entry(point: Point, row: Row, keys: Sequence[str]) -> dict[str, Any]:
    facts = row.records[0] if row.records else None
    resolved = facts.parameters.get("method", {}) if facts else {}
    defaults = dict(flat(f"methods.{row.method}.", resolved))
    spreads = {key: row.spread(key) for key in point.headlines}
    metrics = {
        key: {"mean": one.mean, "std": one.std, "n": one.n, "over": row.repeats(key)}
        for key, one in spreads.items()
        if one
    }
    seen = row.coverage().values()
    return {
        "set": {key: point.settings.get(key, defaults.get(key, "default")) for key in keys},
        "row": row.name,
        "label": row.label,
        "status": row.status,
        "state": row.state,
        "reason": row.reasons[0] if row.reasons else "",
        "classes": dict(point.classes),
        "metrics": metrics,
        "coverage": [sum(one[key] for one in seen) for key in ("scored", "expected")],
        "experiment": point.experiment,
        "commit": point.commit,
        "settings": other_settings(point.config, row.method, keys),
        "parts": {key: facts.parts[key] for key in ("core", "source")} if facts else {},
    }


def _place(order: Mapping[str, int], entry: Mapping[str, Any]) -> tuple[Any, ...]:
    values = entry["set"].values()
    numeric = [(0, float(v), "") if _is_number(v) else (1, 0.0, str(v)) for v in values]
    return order.get(entry["row"], len(order)), entry["row"], *numeric


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
