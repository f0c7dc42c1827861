"""The audit that the stage wrote, if it is of what is there."""

from typing import Any

from bench.config import Config
from bench.errors import UserError
from bench.files import digest, read_json
from bench.layout import Layout


def audit_digest(config: Config, layout: Layout) -> str:
    """Return what an audit is of: the profile's split files, and what it says of its sources."""
    profile = config.profile
    files = sorted(layout.splits.glob("*.json"))
    splits = {file.name: (read_json(file) or {}).get("digest") for file in files}
    said = {"tau", "train_on", "pretrain_on", "pretrained", "inputs"}
    weights = str(profile.network.weights)
    return digest([splits, profile.model_dump(mode="json", include=said), weights])


def stored_audit(config: Config, layout: Layout) -> dict[str, Any] | None:
    """Return the stage's file, None if there is none or it is of other splits or sources.

    A damaged one is a UserError.
    """
    found: dict[str, Any] | None = read_json(layout.audit, "sources", "of", "tested", "tau")
    if not found or found["of"] != audit_digest(config, layout):
        return None
    try:
        for source in found["sources"].values():
            parts = [*source["tests"].values(), {"seen": [], "tested": 0}]
            _ = source["what"], source["unknown"], [(len(p["seen"]), p["tested"]) for p in parts]
    except (AttributeError, KeyError, TypeError) as error:
        why = f"{type(error).__name__}: {error}"
        raise UserError(f"{layout.audit}: damaged ({why}); run 'bench stage audit'") from None
    return found
