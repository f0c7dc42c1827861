"""Saved sweeps: what of them still stands under the present code and settings."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench.config.paths import Layout
from bench.config.profile import Config
from bench.errors import UserError, unknown
from bench.experiments.plan import PlannedCell, plan
from bench.experiments.record import own_record
from bench.utils.io import digest, read_json

_ENTRY = {
    "set": {str: object}, "row": str, "label": str, "status": str, "state": str, "reason": str,
    "classes": {str: int}, "parts": {str: str}, "coverage": [int], "experiment": str,
    "metrics": {str: {"mean": float, "std": object, "n": int, "over": str}}, "settings?": str,
}  # fmt: skip


def saved_sweep(config: Config, layout: Layout, name: str) -> dict[str, Any]:
    """Return a sweep of ``results/sweeps/<profile>``; rows of what has changed are outdated.

    Raises UserError if there is none of that name, or it is damaged.
    """
    path = layout.sweeps / f"{name}.json"
    sweep: dict[str, Any] | None = read_json(path, "profile", parameters=[str], rows=[_ENTRY])
    if sweep is None:
        raise unknown("saved sweep", name, [path.stem for path in layout.sweeps.glob("*.json")])
    planned: dict[str, list[PlannedCell]] = {}
    for cell in plan(config, layout, readings=True):
        planned.setdefault(cell.row, []).append(cell)
    for row in sweep["rows"]:
        cells = planned.get(row["row"], [])
        now = cells[0].parts if cells else {}
        other = [part for part in ("core", "source") if now.get(part) != row["parts"].get(part)]
        if "settings" in row:
            method = row["row"].partition("+")[0]
            others = row["settings"] != other_settings(config, method, sweep["parameters"])
        else:  # saved before it said so: the row's own records are of the same day
            others = any(_is_of_other_settings(layout, cell) for cell in cells)
        other += ["settings"] * others
        if other and row["status"] in ("ok", "partial"):
            row |= {"status": "outdated", "state": f"outdated ({', '.join(other)})", "metrics": {}}
    return sweep


def other_settings(config: Config, method: str, swept: Sequence[str]) -> str:
    """Hash what decides a method's numbers but code, data and the swept parameters."""
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


def _is_of_other_settings(layout: Layout, cell: PlannedCell) -> bool:
    path = layout.records / f"{cell.cell}.json"
    try:
        found = own_record(path).parts if path.is_file() else {}
    except UserError:
        return False  # damaged, as every table says
    return any(part in found and found[part] != cell.parts[part] for part in ("settings", "method"))
