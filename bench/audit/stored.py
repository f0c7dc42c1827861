"""The audit that the stage wrote, if it is of the splits that are there."""

from typing import Any

from bench.config import Config
from bench.files import digest, read_json
from bench.layout import Layout


def split_digest(config: Config, layout: Layout) -> str:
    """Return what an audit is of: τ and the profile's split files."""
    files = sorted(layout.splits.glob("*.json"))
    found = {file.name: (read_json(file) or {}).get("digest") for file in files}
    return digest([config.profile.tau, found])


def stored_audit(config: Config, layout: Layout) -> dict[str, Any]:
    """Return the stage's file, {} if there is none or it is of other splits."""
    found: dict[str, Any] | None = read_json(layout.audit, "sources", "splits", "tested", "tau")
    return found if found and found["splits"] == split_digest(config, layout) else {}
