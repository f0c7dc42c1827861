"""Stage score: one record for every cell that was trained or that failed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.numpy import load_file

from bench.config import Config
from bench.errors import UserError
from bench.files import read_json
from bench.layout import Layout
from bench.plan import TRANSFER, plan
from bench.progress import track
from bench.records import Coverage, Record, write_record
from bench.scoring.score import Scores, score

_COPIED = (
    "row", "method", "reading", "label", "split", "seed", "fingerprint", "parts", "parameters",
    "git_commit", "git_dirty", "environment", "started", "wall_s", "cpu_s", "effective_batch",
    "steps", "losses",
)  # fmt: skip


def run(config: Config, layout: Layout) -> None:
    """Write ``results/records/<profile>`` from ``runs/<profile>`` and ``splits/<profile>``.

    Records of cells that the profile no longer asks for are removed; a cell that was neither
    trained nor tried keeps the record it has.
    """
    failures = read_json(layout.runs / "failures.json") or {}
    finished = sorted(p.parent for p in layout.runs.glob("*/run.json"))
    for folder in track(finished, len(finished), "scoring"):
        write_record(layout.records, _scored(config, layout, folder))
    for facts in failures.values():
        copied = {k: facts[k] for k in (*_COPIED, "status", "reason") if k in facts}
        write_record(layout.records, Record(profile=config.name, **copied))
    wanted = {c.cell for c in plan(config, layout, readings=True)}
    for path in layout.records.glob("*.json"):
        # An imported checkpoint may lie on another machine alone; its record is deleted by hand.
        if path.stem not in wanted and "+checkpoint=" not in path.stem:
            path.unlink()
    print(f"{len(finished)} cells scored, {len(failures)} failed")


def _scored(config: Config, layout: Layout, folder: Path) -> Record:
    facts = read_json(folder / "run.json", *_COPIED, "embedded", "digests", "best_on_test_step")
    files = _split_files(config, layout, facts["split"])
    splits = {key: file["splits"] for key, file in files.items()}
    names = {name: one["names"] for name, one in facts["embedded"].items()}
    scores = score(_arrays(folder / "embeddings.safetensors"), names, splits)
    best = Scores()
    if facts["best_on_test_step"]:
        tests = {name: listed for name, listed in names.items() if name != "seen"}
        best = score(_arrays(folder / "best_on_test.safetensors"), tests, splits)
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
    return Record(
        profile=config.name,
        status="ok",
        metrics=scores.metrics,
        per_split=scores.per_split,
        per_class=scores.per_class,
        metrics_best_on_test=best.metrics,
        coverage=coverage,
        checkpoint=facts.get("checkpoint", "last"),
        split_digests={f"{d}.{p}": file["digest"] for (d, p), file in files.items()},
        **{key: facts[key] for key in _COPIED},
    )


def _split_files(
    config: Config, layout: Layout, split: str
) -> dict[tuple[str, str], Mapping[str, Any]]:
    """Return the split files that a cell is scored by; of fifty-fifty, its own draw alone."""
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for name, described in config.profile.datasets.items():
        for protocol in described.protocols:
            trained = f"{name}.fifty-fifty." if protocol == "fifty-fifty" else TRANSFER
            if not split.startswith(trained):
                continue
            file = read_json(layout.splits / f"{name}.{protocol}.json", "splits", "digest")
            if file is None:
                raise UserError(f"{layout.splits}/{name}.{protocol}.json is missing")
            if protocol == "fifty-fifty":
                own = [s for s in file["splits"] if s["name"] == split.removeprefix(trained)]
                file = {**file, "splits": own}
            found[name, protocol] = file
    return found


def _arrays(path: Path) -> Any:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(
            f"{path}: damaged ({error}); delete its folder and run 'bench train'"
        ) from None
