"""Saved sweeps, and which of their rows are outdated under the present code and settings."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ConfigDict

from bench.config.paths import Layout
from bench.config.profile import Config
from bench.data.formats.json_file import Entry, JsonFile
from bench.errors import unknown
from bench.experiments.plan import plan
from bench.utils.io import digest


class _Metric(Entry):
    mean: float
    std: float | None
    n: int
    over: str


class _Row(Entry):
    model_config = ConfigDict(extra="allow")

    set: dict[str, Any]
    row: str
    label: str
    status: str
    state: str
    reason: str
    classes: dict[str, int]
    metrics: dict[str, _Metric]
    coverage: list[int]
    experiment: str
    settings: str
    parts: dict[str, str]


class SweepFile(JsonFile):
    """``results/sweeps/<profile>/<name>.json``: the rows of a table, one per setting."""

    profile: str
    parameters: list[str]
    rows: list[_Row]


def saved_sweep(config: Config, layout: Layout, name: str) -> dict[str, Any]:
    """Return a saved sweep of the profile; rows of changed code or settings are outdated.

    Raises UserError if it does not exist or is damaged.
    """
    found = SweepFile.read(layout.sweeps / f"{name}.json")
    if found is None:
        raise unknown("saved sweep", name, [path.stem for path in layout.sweeps.glob("*.json")])
    sweep = found.content()
    parts = {cell.row: cell.parts for cell in plan(config, layout, readings=True)}
    for row in sweep["rows"]:
        now = parts.get(row["row"], {})
        other = [part for part in ("core", "source") if now.get(part) != row["parts"].get(part)]
        method = row["row"].partition("+")[0]
        if row["settings"] != other_settings(config, method, sweep["parameters"]):
            other.append("settings")
        if other and row["status"] in ("ok", "partial"):
            row |= {"status": "outdated", "state": f"outdated ({', '.join(other)})", "metrics": {}}
    return sweep


def other_settings(config: Config, method: str, swept: Sequence[str]) -> str:
    """Hash what decides a method's numbers besides code, data and the swept parameters."""
    profile = config.profile
    values = {
        "tau": profile.tau if profile.train_on else None,
        "fifty_fifty": profile.fifty_fifty.model_dump(mode="json") if profile.per_split() else {},
        "input": profile.input_of(method).numbers(),
        "network": profile.network.model_dump(mode="json"),
        "train": profile.train_of(method).numbers(),
        "methods": {method: config.methods.get(method, {})},
    }
    without = {key.removeprefix(f"own.{method}.") for key in swept}
    return digest({key: value for key, value in flat("", values) if key not in without})


def flat(at: str, block: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the values of a block of parameters under their full names."""
    for key, value in block.items():
        if isinstance(value, Mapping):
            yield from flat(f"{at}{key}.", value)
        else:
            yield f"{at}{key}", value
