"""What several commands print: JSON, or a table that fits the terminal."""

from typing import Any

from bench.errors import unknown


def is_json(fmt: str, as_json: bool = False) -> bool:
    """Return whether JSON is asked for, by --format or by --json; a UserError if ``fmt`` is odd."""
    if fmt not in ("text", "json"):
        raise unknown("format", fmt, ("text", "json"))
    return as_json or fmt == "json"


def print_json(value: Any) -> None:
    """Print a value as JSON that people can read, too."""
    import json

    print(json.dumps(value, indent=1, ensure_ascii=False))
