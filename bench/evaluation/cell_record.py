"""The record of one cell, made from its run folder and the splits."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
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
from bench.experiments.cell_cache import BEST, EMBEDDINGS, read_run
from bench.experiments.plan import TRANSFER, split_file
from bench.experiments.record import Cell, Coverage, Failure, Record, Run
from bench.utils.io import digest


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
    run = read_run(folder)
    if run is None:
        raise replaced(folder)
    files = _split_files(config, layout, run.split)
    arrays = _arrays(folder / EMBEDDINGS)
    rows = _rows(layout, run.digests, files)
    files = {key: file for key, file in files.items() if not _lists(file) or key[0] in rows}
    splits = {key: file.splits for key, file in files.items()}
    names = {name: one.names for name, one in run.embedded.items()}
    tests = {name: one for name, one in run.embedded.items() if name != "seen"}
    coverage = {
        name: Coverage(
            digest=run.digests.get(name, ""),
            expected=one.expected,
            scored=one.expected - len(one.failed),
            failed=one.failed,
        )
        for name, one in tests.items()
    }
    for (dataset, protocol), file in files.items():
        if _lists(file):
            scope = f"{dataset}.{protocol}"
            coverage[scope] = _listed(arrays, dataset, file, rows[dataset], run)
    scores = score(arrays, names, splits, rows)
    best = Scores()
    if run.best_on_test_step:
        chosen = {name: names[name] for name in tests}
        best = score(_arrays(folder / BEST), chosen, splits, rows)
    return Record(
        **_facts(config, run),
        decoder=_decoder(config, run),
        data=run.digests,
        embeddings=_embeddings(arrays),
        metrics=scores.metrics,
        per_split=scores.per_split,
        per_class=scores.per_class,
        videos=scores.videos,
        right=scores.right,
        metrics_best_on_test=best.metrics,
        coverage=coverage,
        split_digests={f"{d}.{p}": file.digest for (d, p), file in files.items()},
    )


def failure_record(config: Config, failure: Failure) -> Record:
    """Return the record of a failed cell, given its entry in ``runs/<profile>/failures.json``."""
    return Record(**_facts(config, failure))


def _facts(config: Config, source: Run | Failure) -> dict[str, Any]:
    """Return what a record takes over from a run or a failure."""
    facts = {name: getattr(source, name) for name in Cell.model_fields}
    facts["environment"] = {**source.environment, **source.machine}
    return {**facts, "profile": config.name}


def _decoder(config: Config, run: Run) -> str:
    """Return the name and version of the decoder of a run's data sets, "" for features."""
    sets = config.profile.datasets
    if not any(name in sets and sets[name].kind == "videos" for name in run.digests):
        return ""
    versions = {**run.environment, **run.machine}
    ffmpeg = f" (FFmpeg {versions['ffmpeg']})" if "ffmpeg" in versions else ""
    exact = f"PyAV {versions.get('av', '')}{ffmpeg}"  # also reads what decord would read wrong
    chosen = run.parameters.get("input", {}).get("backend", "auto")
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
            if protocol in TRANSFER_PROTOCOLS:
                if split == TRANSFER:
                    found[name, protocol] = split_file(layout, name, protocol)
            elif split.startswith(trained):
                file = split_file(layout, name, protocol)
                own = [one for one in file.splits if trained + one["name"] == split]
                found[name, protocol] = file.model_copy(update={"splits": own})
    return found


def _lists(file: SplitFile) -> bool:
    return any("videos" in one for one in file.splits)


def _rows(
    layout: Layout, digests: Mapping[str, str], files: Mapping[tuple[str, str], SplitFile]
) -> dict[str, dict[str, int]]:
    """Return video name -> row of the index, for data sets whose splits list videos.

    Leaves out a data set that changed since the training; its record is outdated anyway.
    """
    found: dict[str, dict[str, int]] = {}
    for dataset in {dataset for (dataset, _), file in files.items() if _lists(file)}:
        index = read_index(layout.index, dataset)
        if index.digest == digests.get(dataset):
            rows = found[dataset] = dict[str, int]()
            for row, path in enumerate(index.paths):
                if rows.setdefault(name := video_name(path), row) != row:
                    raise UserError(
                        f"{dataset}: two videos are named '{name}', so the official lists cannot "
                        "tell them apart; leave one out of the data set's folder or manifest"
                    )
    return found


def _listed(
    arrays: Mapping[str, Any],
    dataset: str,
    file: SplitFile,
    rows: Mapping[str, int],
    run: Run,
) -> Coverage:
    """Return how many of the listed videos were embedded, each counted once."""
    embedded = set(arrays[f"{dataset}.row"].tolist())
    why = {video_name(p): r for p, r in run.embedded[dataset].failed.items()}
    for one in file.splits:
        if not any(rows.get(name) in embedded for name in one["videos"]):
            raise UserError(
                f"no video of test list {one['name']} is in {dataset}: its files must be named "
                f"as in the lists, for example '{one['videos'][0]}'"
            )
    videos = sorted({name for one in file.splits for name in one["videos"]})
    lost = [name for name in videos if rows.get(name) not in embedded]
    return Coverage(
        digest=run.digests[dataset],
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
