"""The record of one cell, made from its run folder and the splits."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file

from bench.config.paths import Layout
from bench.config.profile import TRANSFER as TRANSFER_PROTOCOLS
from bench.config.profile import Config
from bench.data.formats.split_file import SplitFile
from bench.data.index import read_index
from bench.data.splits.official_lists import video_name
from bench.errors import UserError
from bench.evaluation.score_cell import Scores, score
from bench.experiments.plan import TRANSFER, split_file
from bench.experiments.record import Coverage, Record
from bench.experiments.run_folder import BEST, EMBEDDINGS, read_run
from bench.utils.io import digest

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


def replaced(folder: Path) -> UserError:
    """Return the error for a run folder that disappeared while it was scored."""
    return UserError(
        f"{folder}: replaced or removed while it was scored; run 'bench stage score' when no "
        "'bench train' runs"
    )


def cell_record(config: Config, layout: Layout, folder: Path) -> Record:
    """Return the record of a finished cell, given its folder in ``runs/<profile>``.

    Raises UserError if a file is missing, damaged or changed since the training.
    """
    facts = read_run(folder, **_RUN)
    if facts is None:
        raise replaced(folder)
    files = _split_files(config, layout, facts["split"])
    arrays = _arrays(folder / EMBEDDINGS)
    rows = _rows(layout, facts["digests"], files)
    usable = {name for name in rows if f"{name}.row" in arrays}  # no rows: trained by older code
    files = {key: file for key, file in files.items() if not _lists(file) or key[0] in usable}
    splits = {key: file.splits for key, file in files.items()}
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
        "split_digests": {f"{d}.{p}": file.digest for (d, p), file in files.items()},
        **{key: facts[key] for key in _COPIED},
        "speed": facts["speed"] or None,
        "environment": facts["environment"] | facts.get("machine", {}),
    }
    values["decoder"] = _decoder(config, facts["digests"], values)
    return _record(folder / "run.json", values)


def failure_record(config: Config, layout: Layout, facts: Mapping[str, Any]) -> Record:
    """Return the record of a failed cell, given its entry in ``runs/<profile>/failures.json``."""
    values = {key: facts[key] for key in (*_COPIED, "status", "reason") if key in facts}
    values |= {"profile": config.name, "environment": facts.get("machine", {})}
    return _record(layout.runs / "failures.json", values)


def _record(file: Path, values: dict[str, Any]) -> Record:
    """Build a record. Raises UserError if the values, read from ``file``, are damaged."""
    try:
        return Record.model_validate(values)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise UserError(f"{file}: damaged ({where}); delete it and run 'bench train'") from None


def _decoder(config: Config, datasets: Collection[str], facts: Mapping[str, Any]) -> str:
    """Return the name and version of the decoder of these data sets, "" for features."""
    kinds = {name: one.kind for name, one in config.profile.datasets.items()}
    if "videos" not in {kinds.get(name) for name in datasets}:
        return ""
    versions = facts["environment"]
    chosen = facts["parameters"].get("input", {}).get("backend", "auto")
    ffmpeg = f" (FFmpeg {versions['ffmpeg']})" if "ffmpeg" in versions else ""
    exact = f"PyAV {versions.get('av', '')}{ffmpeg}"  # also reads what decord would read wrong
    return f"decord {versions.get('decord', '')}, {exact}" if chosen == "decord" else exact


def _embeddings(arrays: Mapping[str, Any]) -> dict[str, str]:
    """Return for each data set a hash of its arrays: names, types, shapes and bytes."""
    parts: dict[str, list[str]] = {}
    for key in sorted(arrays):
        dataset, _, name = key.rpartition(".")
        array = np.ascontiguousarray(arrays[key])
        parts.setdefault(dataset, []).append(
            f"{name} {array.dtype} {array.shape} {digest(array.tobytes())}"
        )
    return {dataset: digest(lines) for dataset, lines in parts.items()}


def _split_files(config: Config, layout: Layout, split: str) -> dict[tuple[str, str], SplitFile]:
    """Return the split files for scoring a cell, limited to the split that it was trained on.

    A cell of split "transfer" is scored on all splits of the transfer protocols.
    """
    found: dict[tuple[str, str], SplitFile] = {}
    for name, described in config.profile.datasets.items():
        for protocol in described.protocols:
            trained = f"{name}.{protocol}."
            if (
                split != TRANSFER
                if protocol in TRANSFER_PROTOCOLS
                else not split.startswith(trained)
            ):
                continue
            file = split_file(layout, name, protocol)
            if protocol not in TRANSFER_PROTOCOLS:
                own = [s for s in file.splits if s["name"] == split.removeprefix(trained)]
                file = file.model_copy(update={"splits": own})
            found[name, protocol] = file
    return found


def _lists(file: SplitFile) -> bool:
    return any("videos" in one for one in file.splits)


def _rows(
    layout: Layout, digests: Mapping[str, str], files: Mapping[tuple[str, str], SplitFile]
) -> dict[str, dict[str, int]]:
    """Return video name -> row of the index, for data sets whose splits list videos.

    Leaves out a data set that changed since the training; its record is outdated anyway.
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
    file: SplitFile,
    rows: Mapping[str, int],
    facts: Mapping[str, Any],
) -> Coverage:
    """Return how many of the listed videos were embedded, each counted once."""
    embedded = set(arrays[f"{dataset}.row"].tolist())
    why = {video_name(p): r for p, r in facts["embedded"][dataset]["failed"].items()}
    for one in file.splits:
        if not any(rows.get(name) in embedded for name in one["videos"]):
            raise UserError(
                f"no video of test list {one['name']} is in {dataset}: its files must be named "
                f"as in the lists, for example '{one['videos'][0]}'"
            )
    videos = sorted({name for one in file.splits for name in one["videos"]})
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
