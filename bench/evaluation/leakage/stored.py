"""The audit that the stage wrote, if it is of what is there."""

from pathlib import Path
from typing import Any

from bench.config.paths import Layout
from bench.config.profile import Config
from bench.utils.io import digest, file_digest, read_json

_SOURCE = {"what": str, "unknown": str, "tests": {str: {"seen": [dict], "tested": int}}}


def audit_digest(config: Config, layout: Layout) -> str:
    """Return what an audit is of: the profile's split files, and what it says of its sources.

    Of class lists in files, their bytes; one that is not here cannot be the one that was read.
    """
    profile = config.profile
    files = sorted(layout.splits.glob("*.json"))
    stored = {file.name: read_json(file) for file in files}
    splits = {k: v.get("digest") if isinstance(v, dict) else None for k, v in stored.items()}
    said = {"tau", "train_on", "pretrain_on", "pretrained", "inputs"}
    weights = str(profile.network.weights)
    parts = [splits, profile.model_dump(mode="json", include=said), weights]
    named = {one for names in profile.pretrained.values() for one in names if one.endswith(".txt")}
    lists = {one: _bytes(layout.root / one) for one in sorted(named)}
    return digest([*parts, lists] if lists else parts)


def _bytes(path: Path) -> str:
    try:
        return file_digest(path)
    except OSError:
        return ""


def stored_audit(config: Config, layout: Layout) -> dict[str, Any] | None:
    """Return the stage's file, None if there is none or it is of other splits or sources.

    A damaged one is a UserError.
    """
    found: dict[str, Any] | None = read_json(
        layout.audit, "of", sources={str: _SOURCE}, tested={str: int}, tau=float
    )
    return found if found and found["of"] == audit_digest(config, layout) else None
