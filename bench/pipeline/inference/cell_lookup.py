"""Where a trained row is, and what to do where it is not."""

from pathlib import Path
from typing import NamedTuple

from bench.config.paths import Layout, find_root
from bench.config.profile import Config, load_config
from bench.data.reference import published
from bench.errors import UserError, unknown
from bench.experiments.cell_cache import read_run
from bench.experiments.method_registry import scan
from bench.experiments.plan import TRANSFER
from bench.experiments.record import Record, Run, cell_name, own_record


class FoundCell(NamedTuple):
    """A trained cell: its record, what its run says, the file of its weights."""

    record: Record
    run: Run
    weights: Path


def opened(profile: str | None, root: Path | str | None) -> tuple[Config, Layout]:
    """Return the configuration of a profile and where its files are."""
    base = find_root(Path(root) if root else None)
    config = load_config(base, profile)
    return config, Layout(base, config.name)


def default_row(layout: Layout) -> str:
    """Return the system that the project is about, which the published tables tell."""
    of_ablation, of_comparison = (
        {number.method for number in published() if number.table == table}
        for table in ("ablation", "sota")
    )
    both = sorted(of_ablation & of_comparison & scan(layout.root).keys())
    if len(both) != 1:
        raise UserError("say which row is to classify (method=…, --method …)")
    return both[0]


def find_cell(config: Config, layout: Layout, row: str, seed: int, split: str | None) -> FoundCell:
    """Return a row's cell, or say in one line what is not there and what makes it."""
    known = _recorded(layout)
    here = f"profile {layout.profile}"
    if row not in known:
        methods = scan(layout.root)
        if row.partition("+")[0] not in methods:
            raise unknown("method", row, {*methods, *known})
        words = "--readings" if "+" in row else row
        raise UserError(f"{row} has no record in {here}; run 'dvc repro' or 'bench train {words}'")
    splits = sorted({one for one, _ in known[row]}, key=lambda one: (one != TRANSFER, one))
    if split is not None and split not in splits:
        raise unknown(f"training split of {row} in {here}", split, splits)
    chosen = splits[0] if split is None else split
    seeds = sorted(number for one, number in known[row] if one == chosen)
    if seed not in seeds:
        there = ", ".join(map(str, seeds))
        raise UserError(f"{row} has no record of seed {seed} in {here}; seeds there: {there}")
    return _found(config, layout, cell_name(row, chosen, seed))


def _recorded(layout: Layout) -> dict[str, list[tuple[str, int]]]:
    """Return row -> (split, seed) of the records, from their names; a row may have dots."""
    found: dict[str, list[tuple[str, int]]] = {}
    for path in layout.records.glob("*.seed*.json"):
        cell, _, seed = path.stem.rpartition(".seed")
        if cell.endswith(f".{TRANSFER}"):
            row, split = cell.removesuffix(f".{TRANSFER}"), TRANSFER
        else:  # <row>.<data set>.<protocol>.<split>
            row, *parts = cell.rsplit(".", 3)
            split = ".".join(parts)
        if seed.isdigit():
            found.setdefault(row, []).append((split, int(seed)))
    return found


def _found(config: Config, layout: Layout, cell: str) -> FoundCell:
    record = own_record(layout.records / f"{cell}.json")
    if record.status != "ok":
        raise UserError(f"{cell} has no result ({record.status}: {record.reason})")
    sets = config.profile.datasets
    if bare := [name for name in record.data if name in sets and sets[name].kind == "features"]:
        raise UserError(
            f"rows of profile {config.name} take the features of {bare[0]}, not videos; choose a "
            "profile of videos"
        )
    folder = layout.runs / cell
    shown = f"runs/{layout.profile}/{cell}"
    again = f"'dvc pull' (where a remote is set) or 'bench train {record.row}' brings it"
    if record.reading:
        again = "'dvc pull' (where a remote is set) or 'bench train --readings' brings it"
    run = read_run(folder)
    if run is None:
        raise UserError(f"{shown} is not here, only its record is; {again}")
    if run.fingerprint != record.fingerprint:
        raise UserError(f"{shown} is not what the record tells of; run 'bench stage score'")
    if "checkpoint" in record.reading:
        weights = layout.checkpoints / f"{record.reading['checkpoint']}.safetensors"
        again = "import the checkpoint again ('bench checkpoint import')"
    else:
        weights = folder / "model.safetensors"
    if not weights.is_file():
        if record.parameters.get("train") and weights.name not in run.files:
            again = f"profile {layout.profile} keeps no models (train.keep_model in params.yaml)"
        raise UserError(f"{weights} is missing; {again}")
    return FoundCell(record, run, weights)
