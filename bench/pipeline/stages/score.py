"""Stage score: one record for every cell that was trained or that failed."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file

from bench.config.paths import Layout
from bench.config.profile import TRANSFER as ONCE
from bench.config.profile import Config
from bench.data.index import read_index
from bench.data.splits.official_lists import video_name
from bench.errors import UserError
from bench.evaluation.score_cell import Scores, mean_curve, score
from bench.experiments.plan import TRANSFER, PlannedCell, plan, split_file
from bench.experiments.record import Coverage, Record, own_record, write_record
from bench.experiments.run_folder import BEST, EMBEDDINGS, read_run
from bench.utils.io import digest, read_json, write_text
from bench.utils.progress import track

_COPIED = (
    "row", "method", "reading", "label", "split", "seed", "fingerprint", "parts", "parameters",
    "git_commit", "git_dirty", "environment", "started", "wall_s", "cpu_s", "world_size",
    "effective_batch", "micro_batches", "speed", "steps", "losses",
)  # fmt: skip
_EMBEDDED = {"names": [str], "expected": int, "failed": {str: str}}
_RUN = {
    **dict.fromkeys(_COPIED, object), "split": str, "embedded": {str: _EMBEDDED},
    "digests": {str: str}, "best_on_test_step": int,
}  # fmt: skip


def run(config: Config, layout: Layout) -> None:
    """Write ``results/records/<profile>`` from ``runs/<profile>`` and ``splits/<profile>``.

    Records of cells that the profile no longer asks for are removed, their runs left unread; a cell
    that was neither trained nor tried keeps the record it has.
    """
    tried = read_json(layout.runs / "failures.json", whole={str: dict}) or {}
    planned = {c.cell: c for c in plan(config, layout, readings=True)}
    failures = {cell: facts for cell, facts in tried.items() if _is_wanted(cell, planned)}
    finished = [path for path in layout.finished_cells() if _is_wanted(path.name, planned)]
    stale: list[str] = []
    damaged: list[str] = []
    failed = 0
    for folder in track(finished, len(finished), "scoring"):
        try:
            if _is_older(layout, folder, planned.get(folder.name)):
                stale.append(folder.name)
            else:
                write_record(layout.records, score_cell(config, layout, folder))
        except UserError as error:  # a record of it stays: it was made of the undamaged files
            damaged.append(str(error))
        except (ValueError, LookupError) as error:
            damaged.append(
                f"{folder}: its files do not fit each other or the splits ({error}); run "
                "'bench train', or delete the folder"
            )
    for cell, facts in failures.items():
        now = planned.get(cell)
        if now and facts.get("parts") != now.parts and _is_current(layout, now):
            stale.append(cell)
            continue
        failed += 1
        copied = {k: facts[k] for k in (*_COPIED, "status", "reason") if k in facts}
        copied["environment"] = facts.get("machine", {})
        record = _record(layout.runs / "failures.json", {"profile": config.name, **copied})
        write_record(layout.records, record)
    for path in layout.records.glob("*.json"):
        if not _is_wanted(path.stem, planned):
            path.unlink()
    _write_curves(layout, finished, planned)
    done = len(finished) + len(failures) - failed - len(damaged) - len(stale)
    print(f"{done} cells scored, {failed} failed")
    if stale:
        print(
            f"{len(stale)} older than their records, which were kept: {stale[0]}; "
            "'bench train' brings the runs up to date"
        )
    if damaged:
        more = f" (and {len(damaged) - 1} more cells)" if len(damaged) > 1 else ""
        raise UserError(f"{damaged[0]}{more}; the other cells are scored")


def _is_wanted(cell: str, planned: Mapping[str, PlannedCell]) -> bool:
    """Tell whether a cell is scored and keeps its record.

    An imported checkpoint may lie on another machine alone; its record is deleted by hand.
    """
    return cell in planned or "+checkpoint=" in cell


def _write_curves(
    layout: Layout, finished: Sequence[Path], planned: Mapping[str, PlannedCell]
) -> None:
    """Write the mean training curve of each row; one that has no run here keeps what it has."""
    layout.curves.mkdir(parents=True, exist_ok=True)
    logs: dict[str, list[Path]] = {}
    for folder in finished:
        cell = planned.get(folder.name)
        if cell and _is_made_as(folder, cell):
            logs.setdefault(cell.row, []).append(folder / "log.csv")
    for row, paths in logs.items():
        try:
            text = mean_curve(paths)
        except (ValueError, TypeError, KeyError):
            continue  # a damaged log: its cell is told as damaged
        if text:
            write_text(layout.curves / f"{row}.csv", text)
    rows = {cell.row for cell in planned.values()}
    for old in layout.curves.glob("*.csv"):
        if old.stem not in rows:
            old.unlink()


def _is_made_as(folder: Path, planned: PlannedCell) -> bool:
    try:
        run = read_json(folder / "run.json", "fingerprint")
    except UserError:  # damaged: its cell is told as such
        return False
    return run is not None and bool(run["fingerprint"] == planned.fingerprint)


def _is_older(layout: Layout, folder: Path, planned: PlannedCell | None) -> bool:
    """Tell whether a run is outdated and its record (from git, of another clone) is not."""
    run = read_json(folder / "run.json", "fingerprint")
    if run is None:
        raise _gone(folder)
    if planned is None or run["fingerprint"] == planned.fingerprint:
        return False
    return _is_current(layout, planned)


def _is_current(layout: Layout, planned: PlannedCell) -> bool:
    """Tell whether a cell's record is that of its present code, parameters and data."""
    path = layout.records / f"{planned.cell}.json"
    try:
        return path.is_file() and own_record(path).fingerprint == planned.fingerprint
    except UserError:  # damaged, or of another cell: to be written again
        return False


def _gone(folder: Path) -> UserError:
    return UserError(
        f"{folder}: replaced or removed while it was scored; run 'bench stage score' when no "
        "'bench train' runs"
    )


def score_cell(config: Config, layout: Layout, folder: Path) -> Record:
    """Return the record of one finished cell, a folder of ``runs/<profile>``.

    UserError if a file of it is not the one that the training wrote.
    """
    facts = read_run(folder, **_RUN)
    if facts is None:
        raise _gone(folder)
    files = _split_files(config, layout, facts["split"])
    arrays = _arrays(folder / EMBEDDINGS)
    rows = _rows(layout, facts["digests"], files)
    usable = {name for name in rows if f"{name}.row" in arrays}  # else trained by older code
    files = {key: file for key, file in files.items() if not _lists(file) or key[0] in usable}
    splits = {key: file["splits"] for key, file in files.items()}
    names = {name: one["names"] for name, one in facts["embedded"].items()}
    listed = {
        f"{dataset}.{protocol}": _listed(arrays, dataset, file, rows[dataset], facts)
        for (dataset, protocol), file in files.items()
        if _lists(file)
    }
    scores = score(arrays, names, splits, rows)
    best = Scores()
    if facts["best_on_test_step"]:
        tests = {name: classes for name, classes in names.items() if name != "seen"}
        best = score(_arrays(folder / BEST), tests, splits, rows)
    coverage = {
        name: Coverage(
            digest=facts["digests"].get(name, ""),
            expected=one["expected"],
            scored=one["expected"] - len(one["failed"]),
            failed=one["failed"],
        )
        for name, one in facts["embedded"].items()
        if name != "seen"
    }
    values = {
        "profile": config.name,
        "status": "ok",
        "data": facts["digests"],
        "training_videos": facts.get("training_videos", {}),
        "embeddings": _embeddings(arrays),
        "metrics": scores.metrics,
        "per_split": scores.per_split,
        "per_class": scores.per_class,
        "videos": scores.videos,
        "right": scores.right,
        "metrics_best_on_test": best.metrics,
        "best_on_test_step": facts["best_on_test_step"],
        "coverage": coverage | listed,
        "checkpoint": facts.get("checkpoint", "last"),
        "split_digests": {f"{d}.{p}": file["digest"] for (d, p), file in files.items()},
        **{key: facts[key] for key in _COPIED},
        "speed": facts["speed"] or None,
        "environment": facts["environment"] | facts.get("machine", {}),
    }
    values["decoder"] = _decoder(config, facts["digests"], values)
    return _record(folder / "run.json", values)


def _record(file: Path, values: dict[str, Any]) -> Record:
    """Return a record of a training's facts; those of a damaged file are a UserError."""
    try:
        return Record.model_validate(values)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise UserError(f"{file}: damaged ({where}); delete it and run 'bench train'") from None


def _decoder(config: Config, datasets: Collection[str], facts: Mapping[str, Any]) -> str:
    """Name what decoded the videos of these data sets ("" for features), with its version."""
    kinds = {name: one.kind for name, one in config.profile.datasets.items()}
    if "videos" not in {kinds.get(name) for name in datasets}:
        return ""
    versions = facts["environment"]
    chosen = facts["parameters"].get("input", {}).get("backend", "auto")
    ffmpeg = f" (FFmpeg {versions['ffmpeg']})" if "ffmpeg" in versions else ""
    exact = f"PyAV {versions.get('av', '')}{ffmpeg}"  # also reads what decord would read wrong
    return f"decord {versions.get('decord', '')}, {exact}" if chosen == "decord" else exact


def _embeddings(arrays: Mapping[str, Any]) -> dict[str, str]:
    """Return, for each data set, the hash of the names, types, shapes and bytes of its arrays."""
    parts: dict[str, list[str]] = {}
    for key in sorted(arrays):
        dataset, _, name = key.rpartition(".")
        array = np.ascontiguousarray(arrays[key])
        parts.setdefault(dataset, []).append(
            f"{name} {array.dtype} {array.shape} {digest(array.tobytes())}"
        )
    return {dataset: digest(lines) for dataset, lines in parts.items()}


def _split_files(
    config: Config, layout: Layout, split: str
) -> dict[tuple[str, str], Mapping[str, Any]]:
    """Return the split files that a cell is scored by; of a model a split, its own split alone."""
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for name, described in config.profile.datasets.items():
        for protocol in described.protocols:
            trained = f"{name}.{protocol}."
            if split != TRANSFER if protocol in ONCE else not split.startswith(trained):
                continue
            file = split_file(layout, name, protocol, "digest")
            if protocol not in ONCE:
                own = [s for s in file["splits"] if s["name"] == split.removeprefix(trained)]
                file = {**file, "splits": own}
            found[name, protocol] = file
    return found


def _lists(file: Mapping[str, Any]) -> bool:
    return any("videos" in one for one in file["splits"])


def _rows(
    layout: Layout, digests: Mapping[str, str], files: Mapping[tuple[str, str], Mapping[str, Any]]
) -> dict[str, dict[str, int]]:
    """Return video name -> row of the index, for the data sets of which a split lists videos.

    A data set that changed since the cell was trained has none: the record is outdated anyway.
    """
    found = {}
    for dataset in {dataset for (dataset, _), file in files.items() if _lists(file)}:
        index = read_index(layout.index, dataset)
        if index.digest == digests.get(dataset):
            names = list(map(video_name, index.paths))
            found[dataset] = {name: row for row, name in enumerate(names)}
            if len(found[dataset]) < len(names):
                twice = next(n for i, n in enumerate(names) if found[dataset][n] != i)
                raise UserError(
                    f"{dataset}: two videos are named '{twice}', so the official lists cannot tell "
                    "them apart; leave one out of the data set's folder or manifest"
                )
    return found


def _listed(
    arrays: Mapping[str, Any],
    dataset: str,
    file: Mapping[str, Any],
    rows: Mapping[str, int],
    facts: Mapping[str, Any],
) -> Coverage:
    """Return how many of the listed videos, each counted once, were embedded."""
    embedded = set(arrays[f"{dataset}.row"].tolist())
    why = {video_name(p): r for p, r in facts["embedded"][dataset]["failed"].items()}
    for one in file["splits"]:
        if not any(rows.get(name) in embedded for name in one["videos"]):
            raise UserError(
                f"no video of test list {one['name']} is in {dataset}: its files must be named "
                f"as in the lists, for example '{one['videos'][0]}'"
            )
    videos = sorted({name for one in file["splits"] for name in one["videos"]})
    lost = [name for name in videos if rows.get(name) not in embedded]
    return Coverage(
        digest=facts["digests"][dataset],
        expected=len(videos),
        scored=len(videos) - len(lost),
        failed={name: why.get(name, "listed, but not in the data set") for name in lost},
    )


def _arrays(path: Path) -> Any:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(
            f"{path}: damaged ({error}); delete its folder and run 'bench train'"
        ) from None
